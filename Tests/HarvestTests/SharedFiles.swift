import Foundation
import TestKit

extension SharedFiles {
    /// The bytes of a sample catalogue; nil, with a message, where it is absent.
    static func bytes(_ name: String) -> [UInt8]? {
        url("data/08_catalogues/\(name)").flatMap { FileManager.default.contents(atPath: $0.path) }.map { Array($0) }
    }
}
