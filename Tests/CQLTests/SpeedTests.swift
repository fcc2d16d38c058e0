import Basics
import CQL
import Foundation
import Tabular
import Testing

/// How fast a predicate runs over batches: TONGQU_BENCHMARK=1 swift test -c release -Xswiftc -enable-testing --filter SpeedTests
@Suite(
    .enabled(if: ProcessInfo.processInfo.environment["TONGQU_BENCHMARK"] != nil, "a benchmark: set TONGQU_BENCHMARK")
)
struct SpeedTests {
    /// CPU seconds of this process.
    static var cpu: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) / 1e6 + Double(usage.ru_stime.tv_sec)
            + Double(usage.ru_stime.tv_usec) / 1e6
    }

    @Test func threeComparisonsAndALike() throws {
        let fields = [Field("plate"), Field("axles", .integer), Field("mass", .real), Field("day", .date)]
        var builders = fields.map { ColumnBuilder($0) }
        let rows = 65_536
        for row in 0..<rows {
            builders[0].append(.text(["冀A", "京B", "津C", "晋D"][row % 4] + String(10_000 + row * 7919 % 90_000)))
            builders[1].append(row % 13 == 0 ? .null : .integer(Int64(row % 7)))
            builders[2].append(.real(Double(row * 31 % 500) / 10))
            builders[3].append(.date(20_000 + Int32(row % 900)))
        }
        let batch = Batch(fields: fields, columns: builders.indices.map { builders[$0].finish() }, count: rows)
        let text = "axles >= 4 AND mass < 30.5 AND day > DATE('2025-06-01') AND plate LIKE '冀A%5'"
        let expression = try BoundExpression(text: text, fields: fields)
        let fitting = expression.evaluate(batch).count { $0 == .yes }
        #expect(fitting > 100 && fitting < rows / 10)
        var best = 0.0
        for _ in 0..<5 {
            let started = Self.cpu
            for _ in 0..<50 { #expect(expression.evaluate(batch).count == rows) }
            best = max(best, Double(50 * rows) / (Self.cpu - started))
        }
        FileHandle.standardError.write(Data("\(text): \(Int(best / 1e6)) million rows a CPU second\n".utf8))
    }
}
