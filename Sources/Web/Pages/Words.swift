import Basics
import Catalogue
import Collect
import Kernel
import Lake
import Tabular

/// The words of states, modes and rules on the pages.
enum Words {
    static func title(_ mode: LoadMode) -> LocalizedText {
        switch mode {
        case .replace: .init("整体替换", "replace")
        case .append: .init("追加", "append")
        case .upsert: .init("按主键更新", "update by key")
        }
    }

    static func title(_ state: Load.State) -> LocalizedText {
        switch state {
        case .running: .init("进行中", "running")
        case .done: .init("完成", "done")
        case .failed: .init("失败", "failed")
        }
    }

    static func title(_ state: Job.State) -> LocalizedText {
        switch state {
        case .queued: .init("排队", "queued")
        case .running: .init("进行中", "running")
        case .done: .init("完成", "done")
        case .failed: .init("失败", "failed")
        }
    }

    static func title(_ grantee: Grant.Grantee, _ web: WebRequest) -> String {
        switch grantee {
        case .anyone: web.text("任何人(公众)", "anyone")
        case .signedIn: web.text("已登录者", "everyone signed in")
        case .role(let role): web.title(of: role)
        case .organisation(let id): web.services.kernel.gate.organisations[id]?.name ?? "—"
        case .principal: web.text("账号", "an account")
        }
    }

    static func title(_ scope: Grant.Scope) -> LocalizedText {
        switch scope {
        case .all: .init("全部资源", "every resource")
        case .own: .init("本机构及下级", "one's organisation and below")
        case .shared: .init("无条件共享的信息项", "what is shared unconditionally")
        case .open: .init("开放清单", "the open list")
        case .node: .init("节点", "the node")
        case .resource: .init("一项资源", "one resource")
        }
    }

    static let rules: [String: LocalizedText] = [
        "required": .init("必填", "required"), "type": .init("类型不符", "type"), "unique": .init("重复", "unique"),
        "key": .init("主键重复", "key"),
        "minimum": .init("小于下限", "minimum"), "maximum": .init("大于上限", "maximum"), "length": .init("长度不符", "length"),
        "pattern": .init("格式不符", "pattern"), "codes": .init("不在代码表中", "code list"),
        "identifier": .init("编号无效", "identifier"),
        "reference": .init("引用不存在", "reference"), "spreadsheet": .init("被电子表格改坏", "damaged by a spreadsheet"),
        "normalised": .init("已规范写法", "normalised"), "row.too_few_cells": .init("列数过少", "too few cells"),
        "row.too_many_cells": .init("列数过多", "too many cells"), "row.encoding": .init("字符无法识别", "encoding"),
        "row.unclosed_quote": .init("引号没有闭合", "unclosed quote"), "row.quotes": .init("引号不成对", "quotes"),
        "row.footer": .init("合计或说明行", "total or note"),
        "row.oversized_cell": .init("单元格过长", "oversized cell"), "row.shape": .init("不是对象", "shape"),
        "row.formula": .init("公式出错", "failed formula"),
    ]

    /// A kind of job.
    static func kind(_ kind: String, _ language: Language) -> String {
        let words: [String: LocalizedText] = [
            "load": .init("加载", "load"), Administration.backupJob: .init("备份", "backup"),
            Catalogue.compareJob: .init("比对标准", "comparison with the standards"),
            Sources.job: .init("自动归集", "collection"), Administration.drillJob: .init("恢复演练", "restore drill"),
        ]
        return words[kind]?[language] ?? kind
    }

    /// A rule's name; its id where it is one of the resource's own.
    static func rule(_ id: String, _ language: Language) -> String { rules[id]?[language] ?? id }

    static func severity(_ name: String, _ language: Language) -> String {
        Severity(rawValue: name)?.title[language] ?? name
    }

    /// `allowed`, `denied`, `failed`, `counted`.
    static func outcome(_ name: String, _ language: Language) -> String {
        let words: [String: LocalizedText] = [
            "allowed": .init("准许", "allowed"), "denied": .init("拒绝", "denied"), "failed": .init("失败", "failed"),
            "counted": .init("计数", "counted"),
        ]
        return words[name]?[language] ?? name
    }

    static let actions: [String: LocalizedText] = Dictionary(
        Services.descriptors.map { ($0.name, $0.title) },
        uniquingKeysWith: { first, _ in first }
    )

    /// An action's name for people; what the node itself writes has none of its own.
    static func action(_ name: String, _ language: Language) -> String {
        if name == "data.public_reads" { return language == .zh ? "公众访问计数" : "reads of the public, counted" }
        return actions[name]?[language] ?? name
    }

    /// What awaits an administrator, and where it is done.
    static func pending(_ work: PendingWork, _ language: Language) -> (text: String, link: String) {
        func say(_ zh: String, _ en: String) -> String { language == .zh ? zh : en }
        let last =
            work.last.map { say("上次 \(Layout.day($0))", "last on \(Layout.day($0))") } ?? say("尚无记录", "never yet")
        return switch work.kind {
        case .backup: (say("一周内没有完好的备份(\(last))", "No sound backup for a week (\(last))"), "/console/backups")
        case .drill: (say("一季度内没有恢复演练(\(last))", "No restore drill for a quarter (\(last))"), "/console/backups")
        case .holidays:
            (
                say("\(work.count) 年的节假日安排尚未录入", "The holidays of \(work.count) are not entered"),
                "/console/settings?year=\(work.count)"
            )
        case .creditCodes:
            (
                say("\(work.count) 个机构没有统一社会信用代码", "\(work.count) organisations without a credit code"),
                "/console/organisations"
            )
        case .withoutRole:
            (say("\(work.count) 个账号没有角色", "\(work.count) accounts without a role"), "/console/grants")
        case .endingGrants:
            (say("\(work.count) 项授权将在 30 天内到期", "\(work.count) grants end within 30 days"), "/console/grants")
        case .verification:
            (say("一个月内没有验证过存证链(\(last))", "The evidence was not verified for a month (\(last))"), "/console/evidence")
        }
    }
}
