import Basics
import CPCRE2

/// A PCRE2 pattern, compiled with its JIT, that must match a whole value.
///
/// Each instance owns its match data and is used by one thread at a time. A limit on backtracking keeps a hostile
/// pattern from holding the check up; a value that exceeds it counts as not matching.
final class Pattern {
    let code: OpaquePointer
    let match: OpaquePointer
    let context: OpaquePointer?

    /// - Throws: `schema.pattern` with the position.
    init(_ text: String) throws(Problem) {
        var error: Int32 = 0
        var position = 0
        let options =
            UInt32(PCRE2_UTF) | UInt32(PCRE2_ANCHORED) | UInt32(PCRE2_ENDANCHORED) | UInt32(PCRE2_NO_UTF_CHECK)
        let bytes = Array(text.utf8)
        guard
            let code = pcre2_compile_8(
                bytes,
                bytes.count,
                options & ~UInt32(PCRE2_NO_UTF_CHECK),
                &error,
                &position,
                nil
            ),
            let match = pcre2_match_data_create_8(1, nil)
        else {
            throw Problem(
                "schema.pattern",
                zh: "正则表达式第 \(position) 字节处有误。",
                en: "The pattern is not right at byte \(position).",
                details: ["position": String(position)]
            )
        }
        pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
        self.code = code
        self.match = match
        context = pcre2_match_context_create_8(nil)
        pcre2_set_match_limit_8(context, 100_000)
    }

    deinit {
        pcre2_match_data_free_8(match)
        pcre2_match_context_free_8(context)
        pcre2_code_free_8(code)
    }

    @inline(__always)
    func matches(_ text: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        // Zero is a match whose groups found no room in the match data: only that it matched is asked.
        pcre2_match_8(code, text, count, 0, UInt32(PCRE2_NO_UTF_CHECK), match, context) >= 0
    }
}
