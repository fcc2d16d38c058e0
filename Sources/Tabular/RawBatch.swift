/// Rows as a reader found them: cells are ranges of one block of bytes, row after row.
///
/// Nothing is copied per cell; the check reads the ranges where they lie. Bytes are valid UTF-8.
public struct RawBatch: Sendable {
    /// A cell: a range of `bytes`, or missing.
    public struct Cell: Sendable {
        public var start: UInt32
        public var end: UInt32

        @inlinable
        public init(start: Int, end: Int) {
            self.start = UInt32(truncatingIfNeeded: start)
            self.end = UInt32(truncatingIfNeeded: end)
        }

        /// A cell that the row does not have.
        public static let missing = Cell(start: 0, end: 0)
    }

    /// Something odd about a row, seen while it was read.
    public struct Oddity: Sendable, Hashable {
        public enum Kind: String, Sendable, CaseIterable {
            /// The row has fewer cells than the header.
            case tooFew = "row.too_few_cells"
            /// The row has more cells than the header.
            case tooMany = "row.too_many_cells"
            /// Bytes that are not text in the file's encoding.
            case encoding = "row.encoding"
            /// Text after a closing quote.
            case quotes = "row.quotes"
            /// A quoted cell that never closes: everything after it was taken into the cell.
            case unclosed = "row.unclosed_quote"
            /// A total or a note under the table, left out.
            case footer = "row.footer"
            /// A cell longer than the limit, cut.
            case oversized = "row.oversized_cell"
            /// A cell whose formula failed (`#N/A`) or was never computed, taken as empty.
            case formula = "row.formula"
            /// A JSON row that is no object.
            case shape = "row.shape"
        }
        public var row: Int
        public var kind: Kind
        public var found: Int
    }

    public var bytes: [UInt8]
    public var cells: [Cell]
    public var columns: Int
    public var rows: Int
    /// The number of each row in its source, the first line being 1.
    public var numbers: [Int64]
    public var oddities: [Oddity]

    public init(columns: Int) {
        bytes = []
        cells = []
        self.columns = columns
        rows = 0
        numbers = []
        oddities = []
    }

    /// The text of one cell.
    public func text(_ row: Int, _ column: Int) -> String {
        let cell = cells[row * columns + column]
        return String(decoding: bytes[Int(cell.start)..<Int(cell.end)], as: UTF8.self)
    }

    /// The texts of one row.
    public func texts(_ row: Int) -> [String] { (0..<columns).map { text(row, $0) } }
}

/// Gives the rows of a source, batch after batch, in memory that does not follow the source's size.
public protocol RowReader: AnyObject {
    /// Names of the columns; `column_1 …` where the source has none.
    var header: [String] { get }
    /// The next rows; nil at the end.
    func next() throws -> RawBatch?
}
