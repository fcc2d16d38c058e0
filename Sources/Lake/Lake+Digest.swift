import Seal

extension Lake {
    static func digestBytes(_ text: String) -> [UInt8] { Digest(.sm3, of: text.utf8).bytes }
}
