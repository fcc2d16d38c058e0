public import Basics
public import Tabular

extension BoundExpression {
    /// Settles an expression that yields a value of any kind.
    ///
    /// - Throws: `cql.unknown_property` (with a suggestion), `cql.type`, `cql.unknown_function`, `cql.too_large`.
    public init(value source: Expression, fields: [Field]) throws(Problem) {
        guard source.depth <= 26 else { throw Parser.tooDeep }
        let root = try Binder(fields: fields).bind(source)
        if case .shape = root {
            throw Problem("cql.type", zh: "几何常量不能作为字段的值。", en: "A geometry written out is no value of a field.")
        }
        self.init(source, fields, root)
    }

    /// The field that the values make: that of a property as it is, else one of the type that the expression yields.
    public var field: Field {
        if case .column(let index, _) = root { return fields[index] }
        let type: FieldType =
            switch root.type {
            case .text: .text
            case .integer: .integer
            case .real: .real
            case .boolean: .boolean
            case .date: .date
            case .time: .time
            case .timestamp: .timestamp
            case .geometry: .point
            }
        return Field("value", type)
    }

    /// The values of every row of a batch whose columns are this expression's fields.
    public func values(_ batch: Batch) -> Column {
        if case .column(let index, _) = root { return batch.columns[index] }
        switch vector(root, batch) {
        case .integers(let values, let validity):
            guard root.type == .date else { return Column(.int64(values), validity: validity) }
            return Column(.int32(values.map { Int32(clamping: $0) }), validity: validity)
        case .reals(let values, let validity):
            guard root.type == .integer else { return Column(.real(values), validity: validity) }
            return column(batch.count) { row in
                validity?[row] == false ? .null : Int64(exactly: values[row]).map { .integer($0) } ?? .null
            }
        case .texts(let texts, let validity): return Column(.text(texts), validity: validity)
        case .points(let x, let y, let validity): return Column(.points(x: x, y: y), validity: validity)
        case .truth(let truths): return column(truths.count) { truths[$0] == 2 ? .null : .boolean(truths[$0] == 1) }
        case .constant(let value): return column(batch.count) { _ in value }
        case .shape: return column(batch.count) { _ in .null }
        }
    }

    private func column(_ count: Int, _ value: (Int) -> Value) -> Column {
        var builder = ColumnBuilder(field, capacity: count)
        for row in 0..<count { builder.append(value(row)) }
        return builder.finish()
    }
}
