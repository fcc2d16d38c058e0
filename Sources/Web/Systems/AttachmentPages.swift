import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel

/// Files of a record: what there is, sent and given out.
enum AttachmentPages {
    static let routes: [Route] = [
        Route(
            .post,
            "/systems/{system}/{resource}/{id}/attachments",
            .actions(["flow.attach"]),
            .console,
            zh: "上传附件",
            en: "Attach a file",
            handle: attach
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/{id}/attachments/{file}",
            .actions(["flow.file"]),
            .console,
            zh: "下载附件",
            en: "Download a file",
            handle: file
        ),
    ]

    static func section(_ detail: FlowDetail, _ path: String, _ web: WebRequest) -> HTML {
        guard !detail.attachments.isEmpty || detail.mayAttach && !detail.declared.attachments.isEmpty else {
            return .empty
        }
        let title = web.text("附件", "Files")
        let rows = detail.attachments.map { row($0, detail, path, web) }
        let heads = [
            web.text("文件", "File"), web.text("类别", "Kind"), web.text("大小", "Size"), web.text("时间与地点", "Time and place"),
        ]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("还没有附件。", "There are no files yet.")) : Layout.table(heads, rows, label: title)
        let form: HTML =
            detail.mayAttach
            ? """
            <form method="post" action="\(path)/attachments" enctype="multipart/form-data" class="stack" data-photo>\(Layout.csrf(web))
            <div class="grid">\(Layout.field(web.text("类别", "Kind"), Layout.select("kind", detail.declared.attachments.map { ($0.key, $0.title[web.language]) }, "")))
            \(Layout.field(web.text("文件", "File"), "<input type=\"file\" name=\"file\" required>"))</div>
            <input type="hidden" name="longitude"><input type="hidden" name="latitude"><input type="hidden" name="taken">
            <div><button class="quiet">\(web.text("上传", "Attach"))</button></div></form>
            """ : .empty
        return "<section class=\"card\"><h2>\(title)</h2>\(table)\(form)</section>"
    }

    private static func row(_ file: Attachment, _ detail: FlowDetail, _ path: String, _ web: WebRequest) -> HTML {
        let kind = detail.declared.attachments.first { $0.key == file.kind }?.title[web.language] ?? file.kind
        let link = "\(path)/attachments/\(file.id)"
        let name: HTML = detail.showsFiles ? "<a href=\"\(link)\">\(file.name)</a>" : "\(file.name)"
        let by = detail.people[file.principal] ?? ""
        let place: HTML =
            if let x = file.longitude, let y = file.latitude {
                "<br><span class=\"muted\">\(web.text("东经", "E")) \(degrees(x))° \(web.text("北纬", "N")) \(degrees(y))°</span>"
            } else {
                .empty
            }
        let taken: HTML =
            file.takenAt.map {
                "<br><span class=\"muted\">\(web.text("拍摄", "taken")) <time>\(CivilTime.minute($0))</time></span>"
            } ?? .empty
        return
            "<tr><td>\(name)<br><code title=\"\(file.digest)\">\(String(file.digest.prefix(16)))…</code></td><td>\(kind)</td><td class=\"key\">\(size(file.size))</td><td><time>\(CivilTime.minute(file.at))</time> \(by)\(taken)\(place)</td></tr>"
    }

    /// Five decimals: about a metre.
    static func degrees(_ value: Double) -> String {
        var out: [UInt8] = []
        Numbers.appendDecimal(Int64((value * 100_000).rounded()), scale: 5, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    static func size(_ bytes: Int64) -> String {
        bytes < 1 << 20 ? "\(max(1, bytes >> 10)) KB" : "\(Numbers.short(Double(bytes) / 1_048_576)) MB"
    }

    private static func attach(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let record = try web.number("id")
        let (_, problem) = try await receive(place, record, web)
        if let problem { throw problem }
        return .redirect("\(SystemPages.path(place))/\(record)")
    }

    /// Takes a form with a file and binds the file to a record; what else the form held is given back, with why the file was not taken.
    static func receive(
        _ place: SystemPlace,
        _ record: Int64,
        _ web: WebRequest
    ) async throws -> (form: Form, problem: Problem?) {
        // Who may not act on the resource does not get to fill the disk.
        let resource = try await web.services.kernel.resource(place.code)
        guard web.services.kernel.gate.admits(web.services.flows.attach.descriptor, resource, web.caller) else {
            _ = try await web.perform(
                web.services.flows.attach,
                NewAttachment(place.code, record: record, kind: "", name: "", type: "", path: "")
            )
            throw FlowPages.moved
        }
        let receiver = try MultipartReceiver(
            contentType: web.request.headers[.contentType] ?? "",
            folder: web.services.settings.temporaryFolder,
            maximum: Flows.maximumAttachment
        )
        let result = try await receiver.receive(web.request.body)
        defer { result.filePath.map { TemporaryFiles.remove($0) } }
        try web.check(result.form)
        guard let path = result.filePath, let name = result.fileName else {
            return (result.form, Problem("request.malformed", zh: "请选择文件。", en: "Choose a file."))
        }
        func degrees(_ name: String, _ limit: Double) -> Double? {
            Double(result.form[name]).flatMap { abs($0) <= limit ? $0 : nil }
        }
        let new = NewAttachment(
            place.code,
            record: record,
            kind: result.form["kind"],
            name: name,
            type: "",
            path: path,
            longitude: degrees("longitude", 180),
            latitude: degrees("latitude", 90),
            taken: result.form["taken"]
        )
        do {
            _ = try await web.perform(web.services.flows.attach, new)
            return (result.form, nil)
        } catch let problem as Problem where (400..<500).contains(problem.status) && problem.status != 401 {
            return (result.form, problem)
        }
    }

    private static func file(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let (attachment, path) = try await web.perform(
            web.services.flows.attached,
            (place.code, try web.number("id"), try web.number("file"))
        )
        // Pictures and video are shown in the page; whatever else somebody brought is only kept.
        let isShown = ["image/", "video/", "audio/"].contains { attachment.type.hasPrefix($0) }
        let name = FormText.encoded(attachment.name)
        return try TemporaryFiles.response(
            path,
            type: attachment.type,
            disposition: "\(isShown ? "inline" : "attachment"); filename*=UTF-8''\(name)"
        )
    }
}
