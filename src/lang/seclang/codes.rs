//! The stable codes of everything this language's reader can find. `docs/diagnostics.md` is this table, for people.

use crate::diag::Code;

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// What it says.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

macro_rules! codes {
    ($($name:ident $code:literal $meaning:literal, $remedy:literal;)*) => {
        $(#[doc = concat!("`", $code, "`: ", $meaning, ".")] pub const $name: Code = $code;)*

        /// Every code in order.
        pub const ALL: &[Entry] = &[$(Entry { code: $code, meaning: $meaning, remedy: $remedy },)*];
    };
}

codes! {
    UNREADABLE "E0101" "A rule or data file cannot be read", "Check the path; relative paths start at the folder of the file that names them";
    NO_MATCH "E0102" "`Include` names nothing", "Correct the path, or write `IncludeOptional` if the files may be absent";
    CYCLE "E0103" "A file includes itself, directly or through others", "Remove one of the `Include` lines";
    TOO_DEEP "E0104" "Files include each other too deeply", "Include the files from one place, or raise `include_depth`";
    TOO_MANY_FILES "E0105" "The ruleset has too many files", "Raise `rule_files`";
    FILE_TOO_LARGE "E0106" "A file is too large", "Split it, or raise `rule_file_bytes`";
    TOO_MANY_RULES "E0107" "The ruleset has too many rules", "Raise `rules`";
    REMOTE_FILE "E0108" "A data file is named by URL, or by rules that were fetched themselves", "Fetch it before loading and name the local file";
    QUOTE "E0110" "A quote is never closed, because a backslash that should join the next line does not end its own", "Close it; inside quotes write `\\\"` for a quote that belongs to the text";
    SECTION "E0111" "A section of the Apache configuration other than `<IfModule security2_module>`", "Rules apply to all requests: move conditions into rules, or choose rule files per host";
    UNKNOWN_DIRECTIVE "E0201" "The directive is unknown", "Correct the name";
    REFUSED_DIRECTIVE "E0202" "The directive is known but not supported, and leaving it out would change what the ruleset does", "See the help of the finding";
    ARGUMENTS "E0203" "Too few or too many arguments", "Quote arguments that contain blanks";
    ARGUMENT "E0204" "An argument has a value that the directive does not take", "Use one of the values named";
    CHAIN_OPEN "E0205" "A rule with `chain` is not followed by the next link", "Remove `chain`, or add the `SecRule` that continues it";
    DEFAULT_ACTION "E0206" "`SecDefaultAction` lacks the phase or the disruptive action, or has an action that no default can have", "Write for example `SecDefaultAction \"phase:2,log,auditlog,pass\"`";
    UNKNOWN_VARIABLE "E0301" "The variable is unknown", "Correct the name";
    REFUSED_VARIABLE "E0302" "The variable is known but not supported", "See the help of the finding";
    NO_MEMBERS "E0303" "A selector or `&` on a variable that has no members", "Remove `:...` or `&`";
    NO_TARGET "E0304" "The rule inspects nothing", "Name at least one variable that is not an exclusion";
    XPATH "E0305" "An XPath expression other than `XML:/*` and `XML://@*`", "Inspect all text with `XML:/*` and all attribute values with `XML://@*`";
    SELECTOR "E0306" "A selector is malformed", "Write `NAME:key`, `NAME:'a key'` or `NAME:/regex/`";
    UNKNOWN_OPERATOR "E0401" "The operator is unknown", "Correct the name; a pattern that starts with `@` is written `@rx @...`";
    REFUSED_OPERATOR "E0402" "The operator is known but not supported", "See the help of the finding";
    MACRO_NOT_ALLOWED "E0403" "A macro in a phrase list, an address list or another argument that is compiled before any request", "Use `@rx`, `@streq`, `@contains`, `@within` or another operator that expands macros";
    OPERATOR_ARGUMENT "E0404" "The operator lacks its argument, or the argument is malformed", "See the help of the finding";
    PATTERN "E0405" "The pattern is not accepted", "See the help of the finding";
    TOO_LONG "E0406" "A pattern or list is too long", "Split it, or raise the limit named";
    MACRO_VARIABLE "E0407" "A macro names an unknown variable", "Correct the name; a literal `%{` cannot be followed by a name and `}`";
    UNKNOWN_ACTION "E0501" "The action is unknown", "Correct the name; quote values that contain commas";
    REFUSED_ACTION "E0502" "The action is known but not supported, and leaving it out would change what the rule does", "See the help of the finding";
    ACTION_ARGUMENT "E0503" "The action lacks its argument, has one that it does not take, or has a wrong one", "Use one of the values named";
    ACTION_LIST "E0504" "The list of actions is malformed", "Separate actions by commas, quote values with `'`";
    NO_ID "E0505" "The rule has no id", "Add `id:` with a number that no other rule has";
    DUPLICATE_ID "E0506" "Two rules have the same id", "Renumber one of them, or remove the file that is loaded twice";
    ON_LINK "E0507" "An action that only the first rule of a chain can have", "Move it to the first rule of the chain";
    UNKNOWN_TRANSFORMATION "E0508" "The transformation is unknown", "Correct the name";
    CTL "E0509" "The `ctl` option is unknown or not supported, or its value is wrong", "Use one of the values named";
    SETVAR "E0510" "`setvar`, `setenv`, `initcol`, `expirevar` or `deprecatevar` is malformed", "Write `setvar:tx.name=value`, `=+value`, `=-value` or `setvar:!tx.name`";
    LOGGING_PHASE "E0511" "A disruptive action in phase 5, when the response has been sent", "Use `pass`, or an earlier phase";
    UPDATE "E0601" "An update of a rule is malformed or changes what it cannot change", "See the help of the finding";
    NO_EFFECT "W0701" "Accepted, but it has no effect here", "Remove it, or provide for what it did";
    EMPTY_OPERATOR "W0702" "The operator is empty and matches every value", "Write `@unconditionalMatch` if that is meant";
    NO_MARKER "W0703" "`skipAfter` names a marker that does not follow: it skips the rest of the phase", "Add the `SecMarker`, or correct the name";
    ALL_EXCLUDED "W0704" "Exclusions leave nothing to inspect", "Remove the rule instead";
    NO_SUCH_RULE "W0705" "A removal or update names no rule loaded so far", "Correct the id, or move the line behind the rules it acts on";
    LAST_DISRUPTIVE "W0706" "Several disruptive actions in one rule: the last one stands", "Keep one of them";
    COMMENTED_OUT "W0707" "A directive belongs to the comment above it, which ends with a backslash", "Remove the backslash, or put `#` before the line too";
    HALVED_BACKSLASH "W0709" "`\\\\` in a quoted argument is read as one backslash, as Apache and ModSecurity v2 read it", "Write `\\x5c` for a backslash in a pattern";
    LITERAL "W0710" "Something looks like special syntax but is malformed and taken as it stands", "Correct it if the special meaning was intended";
    LINK_ACTION "W0711" "An action without effect on a chain link", "Move it to the first rule of the chain";
    TARGET_TWICE "W0712" "A target stands twice: a match in it counts twice, as in v2", "Remove one of them";
    NOT_INITIALISED "W0713" "Rules write to a persistent collection that no rule initialises: nothing is written", "Initialise it in phase 1, for example with `initcol:ip=%{REMOTE_ADDR}`";
    READ_ONLY "W0714" "An entry that every persistent collection has, and that rules cannot change", "Remove the action";
    OPEN_QUOTE "W0715" "A quote is never closed: the argument ends with the line, as in v2", "Close it; inside quotes write `\\\"` for a quote that belongs to the text";
    CHAIN_ENDS "W0716" "The last rule has `chain`, and no link follows: it never matches", "Remove `chain`, or add the `SecRule` that continues it";
    NOT_FETCHED "W0717" "Rules of `SecRemoteRules` were not fetched, and `SecRemoteRulesFailAction Warn` lets the ruleset go without them", "Check the URL, the key and the server";
    METERED "W0718" "The cost of a pattern is bounded by the budget of its rule alone, not by a price per byte", "See the help of the finding";
    IGNORED "N0801" "Accepted without effect, and nothing is lost", "Nothing needs to be done";
    DUPLICATE_PHRASES "N0802" "Duplicate phrases were removed", "Nothing needs to be done";
    INCONSISTENT "E0901" "The compiled ruleset contradicts itself", "This is a fault of the engine: report it together with the rules";
    PROBE "E0902" "The compiled ruleset fails on a plain request", "This is a fault of the engine: report it together with the rules";
    AUTOMATON "E0903" "The automaton of a pattern or list exceeds its limit", "Shorten counted repeats, or split the rule";
    DATA_DIR "E0904" "Persistent collections cannot be kept in the folder of `SecDataDir`", "Correct the folder or its permissions; two processes cannot share one";
    SET_ASIDE "W0905" "Persistent collections on the disk were damaged", "The finding says what was lost and where the damaged file is";
    UPLOAD_DIR "E0906" "Uploaded files cannot be stored in the folder that the rules name", "Correct the folder or its permissions";
    UNSIGNED "E0907" "A compiled bundle has no signature, or not that of the key that was given", "Sign it with minisign and give its public key: `--bundle-key`";
    BUNDLE "E0908" "A compiled bundle cannot be read", "Compile the rules again";
    RECOMPILED "W0909" "A compiled bundle was made by another version of the engine, or under other limits: its rules were compiled again", "Compile it anew to load as fast as before";
    CACHE "W0910" "The cache of compiled rules cannot be used", "See the finding; the rules were compiled all the same";
    CEILING "E0911" "The ruleset may cost more than the ceilings allow that it is loaded under", "The finding names the dearest part: make it look at less, or raise the ceiling";
    EMPTY "E0912" "The ruleset has not a single rule", "Look what `Include` and `SecRuleRemove...` come to; if it is meant, say so: `--allow-empty`";
    SERIAL "E0913" "The ruleset is older than the oldest that may be in service", "Sign the current bundle with its serial: `minisign -S -t serial:N`";
    NOT_RECORDED "E0914" "The ruleset cannot be recorded in the history, and was not put into service", "Look at the disk and at the folder's permissions, and try again";
    HISTORY "W0915" "The history of rulesets cannot be used, or something in it is damaged", "The finding says what and what comes of it";
    PINNED "E0920" "What is in service is pinned: nothing else comes into service", "Ask whoever has pinned it, and let go of it first";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].code[1..] < pair[1].code[1..]));
    }
}
