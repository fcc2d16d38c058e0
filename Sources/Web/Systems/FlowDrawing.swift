import Basics
import Flow

/// A flow as a drawing: the states below each other as the pack lists them. What leads to the next one is an arrow; what leads further down
/// goes by a lane on the right, what leads up by one on the left. Steps to the same state share a lane, steps between the same two states an
/// arrow, and each stands by its name where it leaves.
struct FlowDrawing {
    private enum Side: CaseIterable { case left, right }

    /// A lane to a state, with the names of the steps by the states that they leave.
    private struct Bus {
        var to: String
        var side: Side
        var isLight: Bool
        var sources: [(state: String, titles: [String])] = []
        var lane = 0
    }

    /// What meets a box at its side.
    private struct Slot {
        enum Kind { case out, into, entry, gathered }

        var kind: Kind
        /// The lane; nil for what comes from nowhere or from anywhere.
        var bus: Int?
        var title = ""
    }

    private struct Box {
        var y = 0
        var height = 0
        var slots: [Side: [Slot]] = [:]
        /// Steps to the box below it.
        var direct: [String] = []
    }

    private let flow: FlowDeclaration
    private let language: Language
    private var buses: [Bus] = []
    private var boxes: [Box]
    private var places: [String: Int] = [:]
    private var height = 0
    private var left = 0
    private var width = 0

    private static let boxWidth = 156
    private static let slotHeight = 20
    /// The room for the name of a step beside a box.
    private static let stub = 158
    private static let laneWidth = 13
    private static let margin = 12
    /// A step from more states than these comes from anywhere, as far as a drawing goes; the table names them.
    private static let mostSources = 5

    init(_ flow: FlowDeclaration, _ language: Language) {
        self.flow = flow
        self.language = language
        boxes = flow.states.map { _ in Box() }
        for (index, state) in flow.states.enumerated() { places[state.key] = index }
        for step in flow.steps { add(step) }
        for index in buses.indices { meet(index) }
        stack()
        for side in Side.allCases { assignLanes(side) }
        left = Self.margin + room(.left)
        width = left + Self.boxWidth + room(.right) + Self.margin
    }

    // MARK: Laying out

    private mutating func add(_ step: FlowStep) {
        guard let to = step.to, let end = places[to] else { return }
        let title = step.title[language]
        if step.isBeginning {
            boxes[end].slots[.left, default: []].append(Slot(kind: .entry, title: title))
            return
        }
        let sources = step.from.filter { $0 != to }
        if step.fromAny || sources.count > Self.mostSources {
            let from =
                step.fromAny
                ? (language == .zh ? "任一在办状态" : "any open state")
                : (language == .zh ? "\(sources.count) 个状态" : "\(sources.count) states")
            let named = language == .zh ? "\(title)（\(from)）" : "\(title) (\(from))"
            boxes[end].slots[.right, default: []].append(Slot(kind: .gathered, title: named))
            return
        }
        let isLight = step.kind != .forward
        for from in sources {
            guard let start = places[from] else { continue }
            if end == start + 1, !isLight {
                boxes[start].direct.append(title)
                continue
            }
            let side: Side = end > start ? .right : .left
            let index =
                buses.firstIndex { $0.to == to && $0.side == side && $0.isLight == isLight } ?? buses.endIndex
            if index == buses.endIndex { buses.append(Bus(to: to, side: side, isLight: isLight)) }
            if let at = buses[index].sources.firstIndex(where: { $0.state == from }) {
                buses[index].sources[at].titles.append(title)
            } else {
                buses[index].sources.append((from, [title]))
            }
        }
    }

    /// Notes at which boxes a lane begins and ends: what comes from above over what goes below.
    private mutating func meet(_ index: Int) {
        let bus = buses[index]
        for (state, titles) in bus.sources {
            guard let place = places[state] else { continue }
            let slot = Slot(kind: .out, bus: index, title: titles.joined(separator: language == .zh ? "、" : ", "))
            let at = bus.side == .left ? 0 : boxes[place].slots[bus.side, default: []].count
            boxes[place].slots[bus.side, default: []].insert(slot, at: at)
        }
        guard let place = places[bus.to] else { return }
        let at = bus.side == .left ? boxes[place].slots[bus.side, default: []].count : 0
        boxes[place].slots[bus.side, default: []].insert(Slot(kind: .into, bus: index), at: at)
    }

    private mutating func stack() {
        var y = Self.margin
        for index in boxes.indices {
            let most = boxes[index].slots.values.map(\.count).max() ?? 0
            boxes[index].y = y
            boxes[index].height = max(38, most * Self.slotHeight + 8)
            y += boxes[index].height + (boxes[index].direct.isEmpty ? 20 : 38)
        }
        height = y
    }

    /// Lanes that run beside each other stand apart, the short ones inside.
    private mutating func assignLanes(_ side: Side) {
        var taken: [[ClosedRange<Int>]] = []
        let spans = buses.indices.filter { buses[$0].side == side }.compactMap { index -> (Int, ClosedRange<Int>)? in
            let ends = (buses[index].sources.map(\.state) + [buses[index].to]).compactMap { place(of: index, at: $0) }
            guard let low = ends.min(), let high = ends.max() else { return nil }
            return (index, low...high)
        }
        for (index, span) in spans.sorted(by: { ($0.1.count, $0.1.lowerBound) < ($1.1.count, $1.1.lowerBound) }) {
            let lane = taken.firstIndex { !$0.contains { $0.overlaps(span) } } ?? taken.endIndex
            if lane == taken.endIndex { taken.append([]) }
            taken[lane].append(span)
            buses[index].lane = lane
        }
    }

    private func room(_ side: Side) -> Int {
        guard boxes.contains(where: { $0.slots[side]?.isEmpty == false }) else { return 0 }
        let lanes = buses.filter { $0.side == side }.map { $0.lane + 1 }.max() ?? 0
        return Self.stub + lanes * Self.laneWidth
    }

    /// Where a lane meets a state's box.
    private func place(of bus: Int, at state: String) -> Int? {
        guard let place = places[state], let slots = boxes[place].slots[buses[bus].side],
            let at = slots.firstIndex(where: { $0.bus == bus })
        else { return nil }
        return y(of: at, among: slots.count, boxes[place])
    }

    private func y(of slot: Int, among count: Int, _ box: Box) -> Int {
        box.y + box.height / 2 + slot * Self.slotHeight - (count - 1) * Self.slotHeight / 2
    }

    private func edge(_ side: Side) -> Int { side == .left ? left : left + Self.boxWidth }

    private func away(_ side: Side, _ distance: Int) -> Int {
        side == .left ? edge(side) - distance : edge(side) + distance
    }

    // MARK: Drawing

    var svg: HTML {
        let title = language == .zh ? "流程图" : "The flow"
        return """
            <svg viewBox="0 0 \(width) \(height)" width="\(width)" height="\(height)" role="img" aria-label="\(title)">
            <defs>\(marker("arrow"))\(marker("arrow-light"))</defs>
            <g class="lines">\(buses.indices.map(lane))\(boxes.indices.map(arrow))</g>\(boxes.indices.map(box))</svg>
            """
    }

    private func marker(_ id: String) -> HTML {
        "<marker id=\"\(id)\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker>"
    }

    private func lane(_ index: Int) -> HTML {
        let bus = buses[index]
        let kind = bus.isLight ? "light" : ""
        let x = away(bus.side, Self.stub + bus.lane * Self.laneWidth)
        guard let end = place(of: index, at: bus.to) else { return .empty }
        let starts = bus.sources.compactMap { place(of: index, at: $0.state) }
        let stubs = starts.map { "M\(edge(bus.side)) \($0)H\(x)" }.joined()
        let (low, high) = (min(end, starts.min() ?? end), max(end, starts.max() ?? end))
        return
            "<path class=\"\(kind) open\" d=\"\(stubs)M\(x) \(low)V\(high)\"/><path class=\"\(kind)\" d=\"M\(x) \(end)H\(edge(bus.side))\"/>"
    }

    /// The arrow to the box below.
    private func arrow(_ index: Int) -> HTML {
        let box = boxes[index]
        guard !box.direct.isEmpty, index + 1 < boxes.count else { return .empty }
        let x = left + Self.boxWidth / 2
        let start = box.y + box.height
        let title = box.direct.joined(separator: language == .zh ? "、" : ", ")
        return
            "<path d=\"M\(x) \(start)V\(boxes[index + 1].y)\"/>\(label(title, x + 8, start + 23, isEnd: false, room: 230, kind: ""))"
    }

    private func box(_ index: Int) -> HTML {
        let state = flow.states[index]
        let box = boxes[index]
        let kind = state.kind == .open ? "" : state.kind == .done ? "here" : "hidden"
        let round = state.kind == .open ? 6 : 18
        let middle = left + Self.boxWidth / 2
        return """
            <g class="\(kind)"><rect x="\(left)" y="\(box.y)" width="\(Self.boxWidth)" height="\(box.height)" rx="\(round)"/>\
            <text x="\(middle)" y="\(box.y + box.height / 2 + 5)" text-anchor="middle">\(short(state.title[language], Self.boxWidth - 12))</text></g>\
            \(Side.allCases.map { names($0, box) })
            """
    }

    /// The names of the steps at a side of a box.
    private func names(_ side: Side, _ box: Box) -> HTML {
        let slots = box.slots[side] ?? []
        return HTML(
            slots.enumerated().map { at, slot -> HTML in
                let y = y(of: at, among: slots.count, box)
                let isLight = slot.bus.map { buses[$0].isLight } ?? (slot.kind == .gathered)
                let name = label(
                    slot.title,
                    away(side, 12),
                    y - 4,
                    isEnd: side == .left,
                    room: Self.stub - 20,
                    kind: isLight ? "light" : ""
                )
                guard slot.kind == .entry || slot.kind == .gathered else { return name }
                let start = away(side, Self.stub - 8)
                let line: HTML =
                    "<g class=\"lines\"><path class=\"\(isLight ? "light" : "")\" d=\"M\(start) \(y)H\(edge(side))\"/></g>"
                let dot: HTML =
                    slot.kind == .entry ? "<circle class=\"entry\" cx=\"\(start)\" cy=\"\(y)\" r=\"4\"/>" : .empty
                return "\(line)\(dot)\(name)"
            }
        )
    }

    private func label(_ text: String, _ x: Int, _ y: Int, isEnd: Bool, room: Int, kind: String) -> HTML {
        guard !text.isEmpty else { return .empty }
        return
            "<text class=\"step \(kind)\" x=\"\(x)\" y=\"\(y)\"\(isEnd ? " text-anchor=\"end\"" as HTML : .empty)>\(short(text, room))<title>\(text)</title></text>"
    }

    /// As much of a text as there is room for, in pixels: Chinese characters are twice as wide as letters.
    private func short(_ text: String, _ room: Int) -> String {
        var left = room * 10
        for (at, character) in text.enumerated() {
            left -= character.unicodeScalars.contains { $0.value > 0x2E7F } ? 125 : 66
            if left < 0 { return text.prefix(max(1, at - 1)) + "…" }
        }
        return text
    }
}
