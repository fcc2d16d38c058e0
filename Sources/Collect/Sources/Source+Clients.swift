import Basics
import Connect
import Foundation

extension FolderFile {
    init(_ json: JSONValue) throws {
        self.init(
            name: json["name"]?.string ?? "",
            size: json["size"]?.integer ?? 0,
            modified: json["modified"]?.integer ?? 0
        )
    }

    var json: JSONValue {
        .object([
            .init("name", .string(name)), .init("size", .integer(size)), .init("modified", .integer(modified)),
        ])
    }
}

extension Source {
    func postgres(_ secret: String) -> PostgresSource {
        PostgresSource(
            host: self["host"],
            port: number("port"),
            database: self["database"],
            user: self["user"],
            password: secret,
            encryption: self["encryption"]
        )
    }

    func odbc(_ secret: String) -> ODBCSource { ODBCSource(connection: self["connection"], password: secret) }

    func rest(_ secret: String) -> RESTSource {
        let size = number("page_size")
        let paging: RESTSource.Paging =
            switch self["paging"] {
            case "page":
                .page(
                    parameter: self["page_parameter"],
                    sizeParameter: self["size_parameter"],
                    size: size,
                    first: number("first_page")
                )
            case "offset":
                .offset(parameter: self["page_parameter"], sizeParameter: self["size_parameter"], size: size)
            case "cursor": .cursor(path: self["cursor"], parameter: self["page_parameter"])
            case "link": .link
            default: .none
            }
        return RESTSource(
            address: self["address"],
            rowsPath: self["rows"],
            paging: paging,
            heads: secret.isEmpty ? [] : [(self["head"], secret)],
            sinceParameter: self["since"].isEmpty ? nil : self["since"]
        )
    }

    func files(_ secret: String, _ sources: Sources) throws -> FileFolder {
        guard kind == .sftp else { return .local(try sources.place(self["folder"]).path) }
        return .sftp(
            SFTPPlace(
                host: self["host"],
                port: number("port"),
                user: self["user"],
                secret: secret,
                fingerprint: self["fingerprint"],
                folder: self["folder"]
            )
        )
    }
}
