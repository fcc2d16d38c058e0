public import Basics

/// What the values of a field mean, beyond their type. Inference proposes it; masking, checking and maps rely on it.
public enum SemanticKind: String, Sendable, CaseIterable, Hashable {
    // Identifiers with rules of their own (see ``Identifier``).
    case creditCode = "credit_code"
    case organisationCode = "organisation_code"
    case residentID = "resident_id"
    case divisionCode = "division_code"
    case container
    case imoNumber = "imo_number"
    case mmsi
    case vin
    case plate
    case transportCertificate = "transport_certificate"
    case qualificationCertificate = "qualification_certificate"
    case routeNumber = "route_number"
    case stake
    case unNumber = "un_number"
    // Personal data without a check digit.
    case personName = "person_name"
    case phone
    case address
    case email
    case bankCard = "bank_card"
    // Places and names.
    case longitude
    case latitude
    case position
    case organisationName = "organisation_name"
    case name
    /// The code of an entry of the node's catalogue.
    case catalogueEntry = "catalogue_entry"

    /// Whether values identify a person, alone or with others (个人信息保护法 art. 4; plates by convention of the trade).
    public var isPersonal: Bool {
        switch self {
        case .residentID, .plate, .personName, .phone, .address, .email, .bankCard, .qualificationCertificate, .vin:
            true
        default: false
        }
    }

    /// Whether values follow the rules of an identifier.
    public var isIdentifier: Bool { Identifier.title(self) != nil }

    /// The name people read.
    public var title: LocalizedText {
        if let title = Identifier.title(self) { return title }
        switch self {
        case .personName: return .init("姓名", "person name")
        case .phone: return .init("电话号码", "phone number")
        case .address: return .init("地址", "address")
        case .email: return .init("电子邮箱", "e-mail address")
        case .bankCard: return .init("银行卡号", "bank card number")
        case .longitude: return .init("经度", "longitude")
        case .latitude: return .init("纬度", "latitude")
        case .position: return .init("位置", "position")
        case .organisationName: return .init("单位名称", "organisation name")
        case .catalogueEntry: return .init("目录条目", "entry of the catalogue")
        default: return .init("名称", "name")
        }
    }
}
