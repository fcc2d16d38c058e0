import Codes
public import Mask
import Tabular

extension Expression {
    /// The properties that are asked about otherwise than as their masks leave them: `mask('plate', plate)` asks nothing that somebody
    /// does not see who is shown plates under that mask.
    public func unmaskedProperties(_ mask: (String) -> Mask?) -> [String] {
        mapped { part in
            guard case .function("mask", let list) = part, list.count == 2,
                case .literal(.text(let text)) = list[0], case .property(let name) = list[1],
                let kind = SemanticKind(rawValue: text), let shown = mask(name),
                shown == Mask.standard(for: kind) ?? .suppress
            else { return nil }
            return .literal(.null)
        }.properties
    }
}
