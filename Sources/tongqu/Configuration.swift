import Basics
import Composition
import Configuration
import Connect
import Foundation
import SystemPackage
import Webhooks

/// The settings of this process: command line, then environment (`TONGQU_…`), then `tongqu.yaml`, then defaults.
struct Configuration {
    var settings: NodeSettings
    var host: String
    var port: Int
    var logLevel: String?
    var demonstrationPassword: String?
    /// The folder of packs that `--demo` puts into an empty node.
    var packs: [URL]
    /// Seals the node's key in backups.
    var backupPassphrase: String?

    /// Where copies of backups go: `sftp://user@host:22/folder`, the host key's fingerprint, and a password or a key's file.
    private static func remote(_ reader: ConfigReader) throws -> SFTPPlace? {
        guard let address = reader.string(forKey: "backup.sftp"), !address.isEmpty else { return nil }
        let fingerprint = reader.string(forKey: "backup.sftp.fingerprint", default: "")
        let keyFile = reader.string(forKey: "backup.sftp.key", default: "")
        let key = keyFile.isEmpty ? nil : try? String(contentsOfFile: keyFile, encoding: .utf8)
        let secret = key ?? reader.string(forKey: "backup.sftp.password", isSecret: true, default: "")
        guard let place = URLComponents(string: address), place.scheme == "sftp", let host = place.host,
            let user = place.user,
            !place.path.isEmpty, reader.string(forKey: "backup.passphrase", isSecret: true)?.isEmpty == false,
            fingerprint.hasPrefix("SHA256:"), !secret.isEmpty
        else {
            throw Problem(
                "configuration.backup_sftp",
                zh: "异地备份的设置不完整。",
                en: "The settings of backups to another machine are not complete.",
                hint: .init(
                    "TONGQU_BACKUP_SFTP=sftp://账号@主机：端口/目录，并给出 _FINGERPRINT 与 _KEY(文件)或 _PASSWORD；节点密钥须以 TONGQU_BACKUP_PASSPHRASE 加密。",
                    "TONGQU_BACKUP_SFTP=sftp://user@host:port/folder with _FINGERPRINT and _KEY (a file) or _PASSWORD; the node's key must be sealed by TONGQU_BACKUP_PASSPHRASE."
                )
            )
        }
        return SFTPPlace(
            host: host,
            port: place.port ?? 22,
            user: user,
            secret: secret,
            fingerprint: fingerprint,
            folder: place.path
        )
    }

    /// Reads the settings; what a command was told goes before everything else.
    static func read(
        data: String? = nil,
        store: String? = nil,
        port: Int? = nil,
        host: String? = nil,
        isPublicOnly: Bool = false
    ) async throws -> Configuration {
        let environment = ProcessInfo.processInfo.environment
        let file = environment["TONGQU_CONFIG"] ?? "tongqu.yaml"
        let yaml: FileProvider<YAMLSnapshot>
        do {
            yaml = try await FileProvider<YAMLSnapshot>(
                filePath: FilePath(file),
                allowMissing: environment["TONGQU_CONFIG"] == nil
            )
        } catch {
            throw Problem(
                "configuration.unreadable",
                zh: "配置文件无法读取。",
                en: "The configuration file cannot be read.",
                details: ["file": file]
            )
        }
        let reader = ConfigReader(providers: [EnvironmentVariablesProvider(), yaml]).scoped(to: "tongqu")
        let folder = data ?? reader.string(forKey: "data", default: "data")
        let vendor = reader.string(forKey: "vendor", default: "public/vendor")
        let title = reader.string(forKey: "title", default: "")
        let place = URL(fileURLWithPath: folder).standardizedFileURL
        let passphrase = reader.string(forKey: "backup.passphrase", isSecret: true).flatMap { $0.isEmpty ? nil : $0 }
        let backups = reader.string(forKey: "backup.folder").map { URL(fileURLWithPath: $0).standardizedFileURL }
        let chosenPort = port ?? reader.int(forKey: "port", default: 8080)
        guard (0...65_535).contains(chosenPort) else {
            throw Problem("configuration.port", zh: "端口应为 0–65535。", en: "A port is 0–65535.")
        }
        return Configuration(
            settings: NodeSettings(
                folder: place,
                vendorFolder: URL(fileURLWithPath: vendor).standardizedFileURL,
                isPublicOnly: isPublicOnly || reader.bool(forKey: "public.only", default: false),
                isSecure: reader.bool(forKey: "secure", default: false),
                title: title.isEmpty ? nil : LocalizedText(title, reader.string(forKey: "title.en", default: title)),
                address: try address(reader.string(forKey: "address", default: "")),
                requestsPerMinute: max(0, reader.int(forKey: "rate.limit", default: 6000)),
                requestSeconds: max(1, reader.int(forKey: "request.seconds", default: 120)),
                keptVersions: max(0, reader.int(forKey: "versions.kept", default: 0)),
                webhooks: WebhookSettings(
                    policy: ReceiverPolicy(
                        networks: try WebhookSettings.networks(reader.string(forKey: "webhook.networks", default: "")),
                        allowsHTTP: reader.bool(forKey: "webhook.http", default: false)
                    ),
                    keptDays: reader.int(forKey: "event.days", default: 30),
                    givingUpDays: reader.int(forKey: "webhook.days", default: 3)
                ),
                safekeeping: SafekeepingSettings(
                    folder: backups
                        ?? place.deletingLastPathComponent().appendingPathComponent(
                            "\(place.lastPathComponent)-backups"
                        ),
                    hours: reader.int(forKey: "backup.hours", default: 0),
                    keep: reader.int(forKey: "backup.keep", default: 7),
                    passphrase: passphrase,
                    remote: try remote(reader)
                ),
                dropFolders: reader.string(forKey: "drop.folders").map { list in
                    list.split(separator: ":").map { URL(fileURLWithPath: String($0)).standardizedFileURL }
                },
                store: try StoreSettings(
                    store ?? reader.string(forKey: "store", isSecret: true, default: "sqlite"),
                    connections: reader.int(forKey: "store.connections", default: 16),
                    seconds: reader.int(forKey: "store.timeout", default: 600)
                ),
                chromium: NodeSettings.chromium(reader.string(forKey: "chromium", default: ""))
            ),
            host: host ?? reader.string(forKey: "host", default: "127.0.0.1"),
            port: chosenPort,
            logLevel: reader.string(forKey: "log.level"),
            demonstrationPassword: reader.string(forKey: "demo.password", isSecret: true),
            packs: reader.string(forKey: "packs", default: "Packs:Systems").split(separator: ":").map {
                URL(fileURLWithPath: String($0)).standardizedFileURL
            },
            backupPassphrase: passphrase
        )
    }
}

/// An address that others reach the node at, without a slash at its end; nil where none is set.
///
/// - Throws: `configuration.address`.
private func address(_ text: String) throws(Problem) -> String? {
    guard !text.isEmpty else { return nil }
    var trimmed = text
    while trimmed.hasSuffix("/") { trimmed.removeLast() }
    guard let parts = URLComponents(string: trimmed), ["http", "https"].contains(parts.scheme ?? ""),
        parts.host?.isEmpty == false, parts.query == nil, parts.fragment == nil
    else {
        throw Problem(
            "configuration.address",
            zh: "对外地址应形如 https://data.example.gov.cn。",
            en: "The public address should be like https://data.example.gov.cn."
        )
    }
    return trimmed
}
