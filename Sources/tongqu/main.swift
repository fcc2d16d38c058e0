
import Basics
import Check
import Tabular
import Foundation
let schema = try TableSchema.read(JSONValue([UInt8](try Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[2])))))
let file = try TabularFile(path: CommandLine.arguments[1])
let table = try file.table()
let reader = try file.reader(table)
let checker = try Checker(schema: schema, header: reader.header, keepsValues: CommandLine.arguments.count > 3)
while let raw = try reader.next() { _ = checker.check(raw) }
let r = checker.report()
for c in r.counts { print(c.rule.id, c.rule.field, c.count) }
print(r.rows, r.valid, r.total(.error), table.encoding as Any, table.layout.names)
