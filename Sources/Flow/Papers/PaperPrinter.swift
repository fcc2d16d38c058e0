import Basics
public import Foundation
import Glibc
import Synchronization

/// Makes PDF of a page of HTML, where a program for it is installed.
public struct PaperPrinter: Sendable {
    /// The bytes of a PDF.
    public var printed: @Sendable (_ html: String) async throws -> [UInt8]

    public init(printed: @escaping @Sendable (_ html: String) async throws -> [UInt8]) { self.printed = printed }

    static let failed = Problem(
        "flow.pdf_failed",
        status: 503,
        zh: "PDF 未能生成。",
        en: "The PDF could not be made.",
        hint: .init("请稍后再试，或用浏览器的打印功能存为 PDF。", "Try again later, or save it as PDF with the browser's print function.")
    )

    static let busy = Problem(
        "flow.pdf_busy",
        status: 503,
        zh: "正在生成其他 PDF，请稍后再试。",
        en: "Other PDFs are being made; try again in a moment."
    )
}

extension PaperPrinter {
    /// Where Chromium usually is.
    public static let usualPlaces = [
        "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome-stable", "/usr/bin/google-chrome",
        "/usr/lib/chromium/chromium", "/opt/google/chrome/chrome", "/snap/bin/chromium",
    ]

    /// The program that a setting names, or the first in the usual places; nil for `none` and where there is none.
    public static func program(_ setting: String) -> URL? {
        guard setting != "none" else { return nil }
        let places = setting.isEmpty ? usualPlaces : [setting]
        return places.first { FileManager.default.isExecutableFile(atPath: $0) }.map { URL(fileURLWithPath: $0) }
    }

    /// Headless Chromium: no network, a profile of its own for each page, two at once at the most.
    public static func chromium(_ program: URL) -> PaperPrinter {
        let running = PrinterTurns()
        return PaperPrinter { html in
            try await running.enter()
            defer { running.leave() }
            return try await ChromiumRun(program: program).printed(html)
        }
    }
}

/// How many print now.
private final class PrinterTurns: Sendable {
    private let count = Mutex(0)
    static let most = 2

    func enter() async throws {
        for _ in 0..<200 {
            let isIn = count.withLock { count in
                guard count < Self.most else { return false }
                count += 1
                return true
            }
            if isIn { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw PaperPrinter.busy
    }

    func leave() { count.withLock { $0 -= 1 } }
}

/// One page through one process.
private struct ChromiumRun {
    let program: URL
    /// Seconds that a page may take.
    static let limit = 30.0
    /// Writable memory of a process, in KiB.
    static let memory = 2 << 20
    static let largest = 8 << 20

    func printed(_ html: String) async throws -> [UInt8] {
        guard html.utf8.count <= Self.largest else { throw PaperPrinter.failed }
        // A short path: the profile holds a socket, whose name has 108 bytes at the most.
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tq-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(
            at: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        defer { try? FileManager.default.removeItem(at: folder) }
        let page = folder.appendingPathComponent("page.html")
        let paper = folder.appendingPathComponent("page.pdf")
        try Data(html.utf8).write(to: page)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments =
            ["-c", "ulimit -d \(Self.memory); exec \"$0\" \"$@\"", program.path] + arguments(folder, page, paper)
        process.environment = ["HOME": folder.path, "PATH": "/usr/bin:/bin", "TMPDIR": folder.path, "LANG": "C.UTF-8"]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let end = ContinuousClock.now + .seconds(Self.limit)
        while process.isRunning, ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
        if process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            throw PaperPrinter.failed
        }
        guard process.terminationStatus == 0, let data = FileManager.default.contents(atPath: paper.path),
            data.starts(with: Array("%PDF-".utf8))
        else { throw PaperPrinter.failed }
        return Array(data)
    }

    private func arguments(_ folder: URL, _ page: URL, _ paper: URL) -> [String] {
        var list = [
            "--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
            "--disable-sync", "--disable-component-update", "--disable-background-networking", "--disable-breakpad",
            "--disable-dev-shm-usage", "--renderer-process-limit=1",
            // Nothing leaves the machine: no name is found, and the proxy is nobody.
            "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--proxy-bypass-list=<-loopback>",
            "--user-data-dir=\(folder.appendingPathComponent("profile").path)",
            "--no-pdf-header-footer", "--print-to-pdf=\(paper.path)",
        ]
        // Chromium's own sandbox does not run for root.
        if getuid() == 0 { list.append("--no-sandbox") }
        return list + ["file://\(page.path)"]
    }
}
