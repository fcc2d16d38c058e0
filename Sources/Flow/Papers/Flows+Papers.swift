import Basics
import Foundation
public import Kernel
import Lake
import Seal
import Store

/// A document that is asked for as PDF, and how its page is made.
public struct PaperRequest: Sendable {
    public var code: String
    public var record: Int64
    public var id: Int64
    /// The whole page of a document with its markup.
    public var page: @Sendable (_ document: IssuedDocument, _ body: String) -> String

    public init(
        _ code: String,
        record: Int64,
        id: Int64,
        page: @escaping @Sendable (_ document: IssuedDocument, _ body: String) -> String
    ) {
        self.code = code
        self.record = record
        self.id = id
        self.page = page
    }
}

/// The PDF of documents, each made once and kept with its digest.
enum PaperStore {
    static let migrations = [
        Migration(
            "flow_papers/001-papers",
            [
                "CREATE TABLE flow_papers (document BIGINT PRIMARY KEY, digest TEXT NOT NULL, size BIGINT NOT NULL, at BIGINT NOT NULL)"
            ]
        )
    ]
}

extension Flows {
    static let paperDescriptor = ActionDescriptor(
        "flow.paper",
        .dataRead,
        .read,
        zh: "下载文书 PDF",
        en: "download a document as PDF"
    )

    /// Whether documents can be had as PDF.
    public var printsPapers: Bool { printer != nil }

    private func paper(_ digest: String) -> URL {
        folder.appendingPathComponent("papers").appendingPathComponent(
            "\(String(digest.drop { $0 != ":" }.dropFirst())).pdf"
        )
    }

    /// A document's PDF: made and archived the first time, the same bytes from then on.
    ///
    /// - Throws: `flow.pdf_missing` where nothing that makes PDF is installed, `flow.pdf_failed`, `flow.pdf_busy`.
    public var paper: Action<PaperRequest, (document: IssuedDocument, digest: String, path: String)> {
        Action(Self.paperDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("文书", "the document")) }
            let (document, body) = try await issued(input.id, of: input.record, resource, decision)
            decision.note("document", String(input.id))
            if let kept = try await kept(input.id) {
                decision.note("digest", kept)
                return (document, kept, paper(kept).path)
            }
            guard let printer else {
                throw Problem(
                    "flow.pdf_missing",
                    status: 501,
                    zh: "本节点未安装生成 PDF 的程序(Chromium)。",
                    en: "Nothing that makes PDF (Chromium) is installed on this node.",
                    hint: .init(
                        "请用浏览器的打印功能存为 PDF，或由管理员安装 Chromium。",
                        "Save it as PDF with the browser's print function, or have Chromium installed."
                    )
                )
            }
            let bytes = try await printer.printed(input.page(document, body))
            let digest = Digest(.sm3, of: bytes).description
            let target = paper(digest)
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(),
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            try Data(bytes).write(to: target, options: .atomic)
            try KeptFile.settle(target)
            let now = kernel.clock.now()
            try await kernel.databases.records.write { db in
                try db.execute(
                    "INSERT INTO flow_papers (document, digest, size, at) VALUES (?,?,?,?) ON CONFLICT (document) DO NOTHING",
                    [.integer(input.id), .text(digest), .integer(Int64(bytes.count)), .integer(now)]
                )
            }
            // Two who ask first at once get the one that was kept.
            let kept = try await kept(input.id) ?? digest
            if kept != digest { try? FileManager.default.removeItem(at: target) }
            decision.note("digest", kept)
            return (document, kept, paper(kept).path)
        }
    }

    private func kept(_ document: Int64) async throws -> String? {
        try await kernel.databases.records.read { db in
            try db.row("SELECT digest FROM flow_papers WHERE document = ?", [.integer(document)])?.text(0)
        }
    }
}
