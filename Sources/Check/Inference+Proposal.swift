import Basics
import Codes
import Mask
import Tabular

extension ColumnEvidence {
    func proposal(rows: Int, missing: Set<String>) -> FieldProposal {
        var field = Field(name)
        var reasons: [LocalizedText] = []
        let marked = markerCounts.filter { missing.contains($0.key) }.values.reduce(0, +)
        let values = filled - marked
        let (type, lenient, confidence) = type(values, &reasons)
        field.type = type
        field.lenient = lenient
        settleKind(&field, values, &reasons)
        settleCodes(&field, values, missing, &reasons)
        if field.type == .integer || field.type == .real, field.kind == .longitude || field.kind == .latitude {
            field.type = .real
            field.minimum = field.kind == .longitude ? -180 : -90
            field.maximum = field.kind == .longitude ? 180 : 90
        }
        if damaged > 0, field.kind?.isIdentifier == true || looksLikeID, field.type == .text {
            reasons.append(
                .init("有 \(damaged) 个值像被电子表格改坏的编号", "\(damaged) values look like ids damaged by a spreadsheet")
            )
        }
        if field.kind?.isPersonal == true {
            field.grade = field.kind == .residentID || field.kind == .bankCard ? .general4 : .general3
        }
        field.indexed = field.kind?.isIdentifier == true || (field.codes.count > 2 && field.type == .text)
        let mask = field.kind.flatMap(Mask.standard)
        return FieldProposal(
            field: field,
            confidence: confidence,
            reasons: reasons,
            filled: rows == 0 ? 0 : Double(values) / Double(rows),
            examples: examples.prefix(3).map { mask?.apply($0) ?? ($0.count > 40 ? String($0.prefix(40)) + "…" : $0) }
        )
    }

    func type(_ values: Int, _ reasons: inout [LocalizedText]) -> (FieldType, Bool, Double) {
        guard values > 0 else {
            reasons.append(.init("没有值", "no values"))
            return (.text, false, 0.3)
        }
        func share(_ count: Int) -> Double { Double(count) / Double(values) }
        func found(_ type: FieldType, _ lenient: Bool, _ count: Int) -> (FieldType, Bool, Double) {
            reasons.append(
                .init(
                    "\(count)/\(values) 个值可读作\(type.title.zh)",
                    "\(count) of \(values) values read as \(type.title.en)"
                )
            )
            return (type, lenient, share(count))
        }
        if geometries * 100 >= values * 99 { return found(.geometry, false, geometries) }
        if leadingZeros > 0 || longDigits > 0 || (exponents > 0 && exponents + integers == reals),
            reals * 100 >= values * 90
        {
            reasons.append(
                .init(
                    "数字有前导零、过长或形如 00E0,是编号而不是数",
                    "digits with leading zeros, too long or like 00E0 are codes, not numbers"
                )
            )
            return (.text, false, 0.9)
        }
        if integers * 100 >= values * 97 {
            if shortest == longest, [6, 8, 11, 12].contains(shortest),
                namedKind()?.isIdentifier == true || looksLikeID || namedKind() == .phone
            {
                reasons.append(.init("定长数字编号", "digits of a fixed length used as a code"))
                return (.text, false, 0.8)
            }
            if shortest == 8, longest == 8, looseDates * 100 >= values * 97 { return found(.date, true, looseDates) }
            return found(.integer, false, integers)
        }
        if reals * 100 >= values * 97 { return found(.real, false, reals) }
        if dates * 100 >= values * 97 { return found(.date, false, dates) }
        if timestamps * 100 >= values * 97 { return found(.timestamp, false, timestamps) }
        if times * 100 >= values * 97 { return found(.time, false, times) }
        if (looseTimestamps + timestamps) * 100 >= values * 95, looseTimestamps > 0 {
            return found(.timestamp, true, looseTimestamps)
        }
        if max(looseDates, dates) * 100 >= values * 90 { return found(.date, true, max(looseDates, dates)) }
        if looseReals > reals, looseIntegers * 100 >= values * 97 { return found(.integer, true, looseIntegers) }
        if looseReals > reals, looseReals * 100 >= values * 97 { return found(.real, true, looseReals) }
        if points * 100 >= values * 97 { return found(.point, false, points) }
        if booleans * 100 >= values * 99, distinct.count == 2 { return found(.boolean, true, booleans) }
        return (.text, false, 0.95)
    }

    func namedKind() -> SemanticKind? { SemanticKind.suggested(by: name) }

    func settleKind(_ field: inout Field, _ values: Int, _ reasons: inout [LocalizedText]) {
        let telling = kinds.max { $0.value < $1.value }
        let share = telling.map { FieldCheck.strictKinds.contains($0.key) ? 98 : 80 } ?? 100
        if let telling, telling.value * 100 >= kindSamples * share, kindSamples > 0, telling.value >= 3 {
            field.kind = telling.key
            if field.type == .integer { field.type = .text }
            reasons.append(
                .init(
                    "\(telling.value)/\(kindSamples) 个值是\(telling.key.title.zh)",
                    "\(telling.value) of \(kindSamples) values are a \(telling.key.title.en)"
                )
            )
            return
        }
        guard let named = namedKind() else { return }
        switch named {
        case .longitude, .latitude:
            let limit: Double = named == .longitude ? 360 : 90.5
            guard field.type == .real || field.type == .integer, minimum >= -limit, maximum <= limit else { return }
        case .phone, .personName, .address, .organisationName, .email, .bankCard:
            guard field.type == .text || field.type == .integer else { return }
            field.type = .text
        case _ where named.isPersonal:
            // Personal data is recognised by its name alone: a wrong check digit makes nobody anonymous.
            guard field.type == .text || field.type == .integer else { return }
            field.type = .text
        default:
            // A name alone does not make an identifier: some of the values must be one.
            guard (kinds[named] ?? 0) * 2 >= kindSamples || !ColumnEvidence.tellingKinds.contains(named) else { return }
            guard field.type == .text || field.type == .integer, sampleFits(named) else { return }
            field.type = .text
        }
        field.kind = named
        reasons.append(.init("列名表示\(named.title.zh)", "its name says \(named.title.en)"))
    }

    func sampleFits(_ kind: SemanticKind) -> Bool {
        let readings = examples.compactMap { Identifier.read(kind, $0) }
        return readings.isEmpty || readings.count { $0.isValid } * 2 >= readings.count
    }

    func settleCodes(_ field: inout Field, _ values: Int, _ missing: Set<String>, _ reasons: inout [LocalizedText]) {
        guard field.type == .text, field.kind == nil, !overflowed, longest <= 60 else { return }
        let codes = distinct.filter { !missing.contains($0.key) }
        guard codes.count >= 2, codes.count <= 30, values >= codes.count * 20 else { return }
        let common = codes.filter { $0.value * 1000 >= values }.count
        guard common == codes.count else { return }
        field.codes = codes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { CodeValue($0.key) }
        reasons.append(.init("只有 \(codes.count) 种取值,建议作代码表", "only \(codes.count) values: proposed as a code list"))
    }
}
