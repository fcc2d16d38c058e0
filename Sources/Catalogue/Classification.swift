public import Basics

/// The classes of resources (信息资源分类): 类, 项, 目.
///
/// 类 1 基础, 2 主题, 3 部门 as the guide names them. What stands below is each jurisdiction's own list; this is the default of a new node.
public enum Classification {
    /// A class: its digits and its name.
    public struct Node: Sendable, Hashable {
        public var code: String
        public var title: LocalizedText

        init(_ code: String, _ zh: String, _ en: String) {
            self.code = code
            title = LocalizedText(zh, en)
        }
    }

    /// 目 of the transport department (类 3, 项 01).
    public static let transport = [
        Node("301001", "公路", "roads"), Node("301002", "水路与港口", "waterways and ports"),
        Node("301003", "道路运输", "road transport"),
        Node("301004", "城市客运", "urban passenger transport"), Node("301005", "铁路与民航", "rail and aviation"),
        Node("301006", "物流与多式联运", "logistics and multimodal transport"),
        Node("301007", "安全应急", "safety and emergencies"),
        Node("301008", "执法与信用", "enforcement and credit"), Node("301009", "建设与养护", "construction and maintenance"),
        Node("301010", "危险货物", "dangerous goods"), Node("301011", "出行服务", "travel services"),
        Node("301099", "综合", "general"),
        Node("101001", "行政区划与地理", "divisions and geography"), Node("201001", "统计与决策", "statistics and decisions"),
    ]

    /// The name of a category, by its six first digits; its digits where it has none.
    public static func title(_ category: String) -> LocalizedText {
        transport.first { category.hasPrefix($0.code) }?.title ?? LocalizedText(category, category)
    }

    /// Whether digits form a category: 类 1–3, 项 two digits, 目 three, 细目 up to six more.
    public static func isValid(_ category: String) -> Bool {
        (6...12).contains(category.count) && category.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && ["1", "2", "3"].contains(String(category.prefix(1)))
    }
}
