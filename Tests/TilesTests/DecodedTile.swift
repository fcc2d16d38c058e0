/// A tile read back, for tests only: every number as the bytes have it, geometry as paths of absolute units.
struct DecodedTile {
    struct Feature {
        var id: UInt64?
        var type = 0
        var tags: [Int] = []
        var commands: [UInt32] = []

        /// The paths, and whether each was closed.
        var paths: [[SIMD2<Int>]] {
            var paths: [[SIMD2<Int>]] = []
            var cursor = SIMD2(0, 0)
            var rest = commands[...]
            while let command = rest.popFirst() {
                for _ in 0..<(command >> 3) where command & 7 != 7 {
                    let step = SIMD2(unzigzag(rest.removeFirst()), unzigzag(rest.removeFirst()))
                    cursor = cursor &+ step
                    if command & 7 == 1 { paths.append([]) }
                    paths[paths.count - 1].append(cursor)
                }
            }
            return paths
        }

        var points: [SIMD2<Int>] { paths.flatMap(\.self) }

        private func unzigzag(_ value: UInt32) -> Int { Int(Int32(bitPattern: value >> 1) ^ -Int32(value & 1)) }
    }

    enum Value: Hashable {
        case text(String)
        case real(Double)
        case integer(Int)
        case boolean(Bool)
    }

    var name = ""
    var version = 0
    var extent = 0
    var features: [Feature] = []
    var keys: [String] = []
    var values: [Value] = []

    init(_ bytes: [UInt8]) {
        var tile = Fields(bytes[...])
        while let field = tile.next() {
            var layer = Fields(field.content)
            while let field = layer.next() {
                switch field.number {
                case 1: name = String(decoding: field.content, as: UTF8.self)
                case 2: features.append(Self.feature(field.content))
                case 3: keys.append(String(decoding: field.content, as: UTF8.self))
                case 4: values.append(Self.value(field.content))
                case 5: extent = Int(field.value)
                case 15: version = Int(field.value)
                default: version = -1
                }
            }
        }
    }

    func attributes(_ feature: Int) -> [String: Value] {
        let tags = features[feature].tags
        let pairs = stride(from: 0, to: tags.count, by: 2).map { (keys[tags[$0]], values[tags[$0 + 1]]) }
        return Dictionary(pairs) { _, _ in .text("a key twice") }
    }

    private static func feature(_ bytes: ArraySlice<UInt8>) -> Feature {
        var feature = Feature()
        var fields = Fields(bytes)
        while let field = fields.next() {
            switch field.number {
            case 1: feature.id = field.value
            case 2: feature.tags = Fields.packed(field.content).map { Int($0) }
            case 3: feature.type = Int(field.value)
            default: feature.commands = Fields.packed(field.content).map { UInt32($0) }
            }
        }
        return feature
    }

    private static func value(_ bytes: ArraySlice<UInt8>) -> Value {
        var fields = Fields(bytes)
        guard let field = fields.next() else { return .text("no value") }
        switch field.number {
        case 1: return .text(String(decoding: field.content, as: UTF8.self))
        case 2: return .real(Double(Float(bitPattern: UInt32(field.value))))
        case 3: return .real(Double(bitPattern: field.value))
        case 6: return .integer(Int(Int64(bitPattern: field.value >> 1) ^ -Int64(field.value & 1)))
        case 7: return .boolean(field.value == 1)
        default: return .integer(Int(field.value))
        }
    }

    private struct Fields {
        var rest: ArraySlice<UInt8>

        init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

        mutating func varint() -> UInt64 {
            var (value, shift) = (UInt64(0), UInt64(0))
            while let byte = rest.popFirst() {
                value |= UInt64(byte & 0x7F) << shift
                shift += 7
                if byte < 0x80 { break }
            }
            return value
        }

        mutating func next() -> (number: Int, value: UInt64, content: ArraySlice<UInt8>)? {
            guard !rest.isEmpty else { return nil }
            let key = varint()
            let number = Int(key >> 3)
            switch key & 7 {
            case 0: return (number, varint(), [])
            case 2:
                let length = Int(varint())
                defer { rest = rest.dropFirst(length) }
                return (number, 0, rest.prefix(length))
            default:
                let length = key & 7 == 1 ? 8 : 4
                defer { rest = rest.dropFirst(length) }
                return (number, rest.prefix(length).reversed().reduce(0) { $0 << 8 | UInt64($1) }, [])
            }
        }

        static func packed(_ bytes: ArraySlice<UInt8>) -> [UInt64] {
            var fields = Fields(bytes)
            var values: [UInt64] = []
            while !fields.rest.isEmpty { values.append(fields.varint()) }
            return values
        }
    }
}
