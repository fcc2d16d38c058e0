import GRDBSQLite
import Store

extension CellSource {
    /// Binds one cell. Texts are not copied: the batch outlives the step.
    @inline(__always)
    func bind(_ row: Int, _ handle: OpaquePointer, _ at: Int32) {
        guard !isNull(row) else {
            sqlite3_bind_null(handle, at)
            return
        }
        switch kind {
        case .int64: sqlite3_bind_int64(handle, at, values.load(fromByteOffset: row &* 8, as: Int64.self))
        case .int32: sqlite3_bind_int64(handle, at, Int64(values.load(fromByteOffset: row &* 4, as: Int32.self)))
        case .real: sqlite3_bind_double(handle, at, values.load(fromByteOffset: row &* 8, as: Double.self))
        case .bits:
            let word = values.load(fromByteOffset: (row >> 6) &* 8, as: UInt64.self)
            sqlite3_bind_int64(handle, at, Int64(word >> UInt64(row & 63) & 1))
        case .text:
            guard let offsets else { return }
            let start = Int(offsets[row])
            let text = (values + start).assumingMemoryBound(to: CChar.self)
            sqlite3_bind_text(handle, at, text, offsets[row + 1] - offsets[row], nil)
        }
    }
}
