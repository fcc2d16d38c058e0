import Basics
import Flow

/// A flow as a drawing: states in columns by how many steps they lie from the beginning, lines for the steps between them.
struct FlowDrawing {
    private struct Box {
        var x: Int
        var y: Int
    }

    private let flow: FlowDeclaration
    private let language: Language
    private var boxes: [String: Box] = [:]
    private var width = 0
    private var height = 0
    private static let (boxWidth, boxHeight, columnWidth, rowHeight) = (132, 40, 200, 66)

    init(_ flow: FlowDeclaration, _ language: Language) {
        self.flow = flow
        self.language = language
        var depth: [String: Int] = [:]
        var next = flow.beginnings.compactMap(\.to)
        var level = 0
        while !next.isEmpty {
            var following: [String] = []
            for state in next where depth[state] == nil {
                depth[state] = level
                following += flow.steps(from: state).filter { $0.kind == .forward && !$0.fromAny }.compactMap(\.to)
            }
            next = following
            level += 1
        }
        // What is only reached from anywhere stands last.
        for state in flow.states where depth[state.key] == nil { depth[state.key] = max(1, level) }
        var rows: [Int: Int] = [:]
        for state in flow.states {
            let column = depth[state.key] ?? 0
            let row = rows[column, default: 0]
            rows[column] = row + 1
            boxes[state.key] = Box(x: 12 + column * Self.columnWidth, y: 40 + row * Self.rowHeight)
        }
        width = 24 + (depth.values.max() ?? 0) * Self.columnWidth + Self.boxWidth + 40
        height = 60 + (rows.values.max() ?? 1) * Self.rowHeight
    }

    var svg: HTML {
        let title = language == .zh ? "流程图" : "The flow"
        return """
            <svg viewBox="0 0 \(width) \(height)" width="\(width)" height="\(height)" role="img" aria-label="\(title)">
            <defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z"/></marker></defs>
            <g class="lines">\(lines)</g>\(states)</svg>
            """
    }

    private var states: HTML {
        HTML(
            flow.states.compactMap { state -> HTML? in
                guard let box = boxes[state.key] else { return nil }
                let kind = state.kind == .open ? "" : state.kind == .done ? "here" : "hidden"
                return
                    "<g class=\"\(kind)\"><rect x=\"\(box.x)\" y=\"\(box.y)\" width=\"\(Self.boxWidth)\" height=\"\(Self.boxHeight)\" rx=\"\(state.kind == .open ? 6 : 20)\"/><text x=\"\(box.x + Self.boxWidth / 2)\" y=\"\(box.y + 25)\" text-anchor=\"middle\">\(short(state.title[language]))</text></g>"
            }
        )
    }

    private func short(_ text: String) -> String {
        let limit = language == .zh ? 9 : 17
        return text.count > limit ? text.prefix(limit - 1) + "…" : text
    }

    private var lines: HTML {
        var drawn: Set<[String]> = []
        var pieces: [HTML] = []
        for step in flow.steps where !step.isBeginning && !step.fromAny {
            guard let to = step.to, let end = boxes[to] else { continue }
            for from in step.from where from != to && drawn.insert([from, to]).inserted {
                guard let start = boxes[from] else { continue }
                let isBack = step.kind == .return || step.kind == .withdraw
                pieces.append(
                    "<path class=\"\(isBack ? "back" : "")\" d=\"\(path(start, end))\"><title>\(step.title[language])</title></path>"
                )
            }
        }
        return HTML(pieces)
    }

    /// A line from a box to another: forwards from side to side, backwards around above.
    private func path(_ start: Box, _ end: Box) -> String {
        let middle = Self.boxHeight / 2
        if end.x > start.x {
            let (x1, x2) = (start.x + Self.boxWidth, end.x)
            let bend = (x1 + x2) / 2
            return
                "M\(x1) \(start.y + middle)C\(bend) \(start.y + middle) \(bend) \(end.y + middle) \(x2) \(end.y + middle)"
        }
        if end.x == start.x {
            let x = start.x + Self.boxWidth
            return
                "M\(x) \(start.y + middle)C\(x + 34) \(start.y + middle) \(x + 34) \(end.y + middle) \(x) \(end.y + middle)"
        }
        let (x1, x2) = (start.x + Self.boxWidth / 2, end.x + Self.boxWidth / 2)
        let above = min(start.y, end.y) - 26
        return "M\(x1) \(start.y)C\(x1) \(above) \(x2) \(above) \(x2) \(end.y)"
    }
}
