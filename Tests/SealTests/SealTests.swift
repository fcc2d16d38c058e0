import Basics
import Foundation
import Seal
import TestKit
import Testing

@Suite struct SealTests {
    @Test(arguments: [
        ("abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (
            String(repeating: "abcd", count: 16), "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
        ),
        ("交通运输", "573a8080703dcdc2a75dc5dc9a170f7ab13788d7dbd52d0354acd82bdcce8aea"),
    ])
    func sm3AgreesWithTheStandard(text: String, digest: String) {
        #expect(Hexadecimal.text(Digest(.sm3, of: text.utf8).bytes) == digest)
    }

    @Test func sha256AgreesWithTheStandard() {
        #expect(
            Digest(.sha256, of: "abc".utf8).description
                == "sha-256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
    }

    @Test func hmacSM3AgreesWithTheVector() {
        let key = Hexadecimal.bytes("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20") ?? []
        let mac = Secrets.hmac(.sm3, key: key, Array("abc".utf8))
        #expect(Hexadecimal.text(mac) == "44809d3ff5336f44071be1917887380730ae145f940a53819279801784c65e17")
    }

    @Test func theStandardsSM2SignatureVerifies() throws {
        guard let line = SharedFiles.lines("standards/vectors/gm.jsonl").first(where: { $0.contains("SM2-sign") })
        else { return }
        let vector = try JSONValue(text: line)
        func bytes(_ name: String) -> [UInt8] { Hexadecimal.bytes(vector[name]?.string ?? "") ?? [] }
        let key = try SigningKey.sm2(publicX: bytes("public_x"), y: bytes("public_y"))
        let signature = der(bytes("r"), bytes("s"))
        #expect(key.verify(signature, Array("message digest".utf8)))
        #expect(!key.verify(signature, Array("message digesT".utf8)))
    }

    /// SEQUENCE { r, s }.
    func der(_ r: [UInt8], _ s: [UInt8]) -> [UInt8] {
        func integer(_ bytes: [UInt8]) -> [UInt8] {
            let body = (bytes.first ?? 0) >= 0x80 ? [0] + bytes : bytes
            return [0x02, UInt8(body.count)] + body
        }
        let body = integer(r) + integer(s)
        return [0x30, UInt8(body.count)] + body
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func aKeySurvivesItsFileAndSigns(algorithm: SignatureAlgorithm) throws {
        let key = try SigningKey.generate(algorithm)
        let read = try SigningKey(algorithm, der: try key.privateBytes(), isPrivate: true)
        let publicHalf = try SigningKey(algorithm, der: try key.publicBytes(), isPrivate: false)
        let message = Array("交通运输数据".utf8)
        let signature = try read.sign(message)
        #expect(publicHalf.verify(signature, message))
        #expect(!publicHalf.verify(signature, message + [0]))
        #expect(try !SigningKey.generate(algorithm).verify(signature, message))
    }

    @Test func passwordsVerifyAndHashesDiffer() throws {
        let kept = try Secrets.hashPassword("Correct-Horse-9")
        #expect(Secrets.verifyPassword("Correct-Horse-9", kept))
        #expect(!Secrets.verifyPassword("correct-Horse-9", kept))
        #expect(try Secrets.hashPassword("Correct-Horse-9") != kept)
        #expect(!Secrets.verifyPassword("x", "nonsense"))
    }
}
