import Basics
import Flow
import Tabular

/// What officers' cases of a month say of their work: made on the first days of the next month, for the supervision officer to settle.
enum OfficerAssessment {
    struct Figures {
        var name = ""
        var decided: Int64 = 0
        var deviating: Int64 = 0
        var opinions: Int64 = 0
    }

    static func run(_ desk: SystemDesk) async throws -> [SystemCode.Figure] {
        let (year, month, _) = CivilTime.civil(days: desk.today)
        let end = CivilTime.days(year: year, month: month, day: 1)
        let (before, of, _) = CivilTime.civil(days: end - 1)
        let start = CivilTime.days(year: before, month: of, day: 1)
        var officers: [String: Figures] = [:]
        try await desk.rows(
            of: "penalty_cases",
            where: "decided_on >= DATE('\(CivilTime.date(start))') AND decided_on < DATE('\(CivilTime.date(end))')",
            fields: [
                "officer_1", "officer_1_name", "officer_2", "officer_2_name", "deviation_reason", "supervision_opinion",
            ]
        ) { batch in
            for row in 0..<batch.count { take(batch, row, into: &officers) }
        }
        let period = String(CivilTime.date(start).prefix(7))
        let points = Int64(desk.setting("opinion_points")) ?? 0
        var (made, changed): (Int64, Int64) = (0, 0)
        for (officer, figures) in officers.sorted(by: { $0.key < $1.key }) {
            let number = "\(officer)-\(period)"
            let values = [
                "decided_cases": String(figures.decided), "deviating_cases": String(figures.deviating),
                "supervised_cases": String(figures.opinions), "proposed_points": String(figures.opinions * points),
            ]
            let known = try await desk.record(of: "officer_assessments", where: "assessment_no = '\(quoted(number))'")
            guard let known else {
                let first = [
                    "assessment_no": number, "officer_no": officer, "officer_name": figures.name, "period": period,
                ]
                try await desk.take("assess", of: "officer_assessments", first.merging(values) { own, _ in own })
                made += 1
                continue
            }
            // What people have settled stays; what stands as it stood is not written again.
            guard known.1["state"] == "drafted", values.contains(where: { known.1[$0.key] != $0.value }) else {
                continue
            }
            try await desk.take("reassess", of: "officer_assessments", record: known.0, values)
            changed += 1
        }
        return [
            .init(.init("新生成", "made"), made), .init(.init("重新统计", "assessed again"), changed),
        ]
    }

    private static func quoted(_ text: String) -> String { text.replacing("'", with: "''") }

    private static func take(_ batch: Batch, _ row: Int, into officers: inout [String: Figures]) {
        func text(_ name: String) -> String { batch.index(name).map { batch.value(row, $0).text } ?? "" }
        for place in ["officer_1", "officer_2"] where !text(place).isEmpty {
            var figures = officers[text(place)] ?? Figures()
            if figures.name.isEmpty { figures.name = text("\(place)_name") }
            figures.decided += 1
            if !text("deviation_reason").isEmpty { figures.deviating += 1 }
            if !text("supervision_opinion").isEmpty { figures.opinions += 1 }
            officers[text(place)] = figures
        }
    }
}
