import ArgumentParser
import Basics
import CQL
import Foundation
import Tabular

/// `tongqu cql2`: shows an expression in another form.
struct ExpressionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cql2",
        abstract: say("转换 CQL2 表达式：文本、JSON、SQL。", "Turn a CQL2 expression into text, JSON or SQL."),
        discussion: say(
            """
            表达式可为文本或 JSON；“-”表示从标准输入逐行读取，每行一个，出错的行输出空行。
            示例：tongqu cql2 --to json "axles > 4 AND plate LIKE '冀%'"
            """,
            """
            Takes text or JSON; - reads an expression from each line of standard input and writes an empty line for one that is wrong.
            Example: tongqu cql2 --to json "axles > 4 AND plate LIKE 'A%'"
            """
        )
    )

    enum Form: String, ExpressibleByArgument, CaseIterable { case json, text, sqlite, postgresql }

    @Argument(help: ArgumentHelp(say("表达式，或 -", "the expression, or -")))
    var expression: String

    @Option(help: ArgumentHelp(say("json、text、sqlite 或 postgresql", "json, text, sqlite or postgresql")))
    var to = Form.json

    @Option(
        help: ArgumentHelp(
            say("Table Schema 文件：核对字段名与类型", "a Table Schema file: names and types are checked against it")
        )
    )
    var schema: String?

    func run() async throws {
        try await carry {
            let fields = try schema.map { try Check.schema(at: $0).fields }
            guard expression == "-" else { return emit(try shown(expression, fields)) }
            var number = 0
            var failed = false
            while let line = readLine() {
                number += 1
                do throws(Problem) { emit(try shown(line, fields)) } catch {
                    failed = true
                    emit("")
                    tell("\(number): \(error.text(language))\(error.hint.map { " " + $0[language] } ?? "")")
                }
            }
            if failed { throw ExitCode(2) }
        }
    }

    private func shown(_ text: String, _ known: [Field]?) throws(Problem) -> String {
        let expression = try Expression(either: text)
        if let known { _ = try BoundExpression(text: text, fields: known) }
        switch to {
        case .json: return expression.json.text
        case .text: return expression.text
        case .sqlite, .postgresql:
            let bound = try BoundExpression(predicate: expression, fields: known ?? expression.assumedFields)
            let predicate = bound.sql(for: to == .sqlite ? .sqlite : .postgresql(postGIS: "public")) { field in
                let name = "\"" + field.name.replacing("\"", with: "\"\"") + "\""
                return field.type == .point ? [name + "_x", name + "_y"] : [name]
            }
            if predicate.rest != nil {
                tell(
                    say(
                        "部分条件没有等价的 SQL，由程序在内存中判断；此处的 SQL 只做初筛。",
                        "Part of it has no SQL that means the same and is decided in memory; this SQL only narrows the rows."
                    )
                )
            }
            return predicate.fragment?.literal ?? (to == .sqlite ? "1" : "TRUE")
        }
    }
}

extension SQLFragment {
    /// The SQL with its values written in: for reading, never for running.
    fileprivate var literal: String {
        var values = values[...]
        var out = ""
        var isQuoted = false
        for character in text {
            if character == "'" { isQuoted.toggle() }
            guard character == "?", !isQuoted, let value = values.popFirst() else {
                out.append(character)
                continue
            }
            switch value {
            case .null: out += "NULL"
            case .integer, .real, .decimal: out += value.text
            case .boolean(let bit): out += bit ? "1" : "0"
            case .date(let days): out += String(days)
            case .time(let moment), .timestamp(let moment): out += String(moment)
            default: out += "'" + value.text.replacing("'", with: "''") + "'"
            }
        }
        return out
    }
}
