//! The least memory with which a request is inspected whole: what `Limits::request_memory` counts, to the byte.

use crate::entries::{build, requests};
use fusewall::Limits;

/// Rules that make, keep and copy values in all the ways there are.
const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "@contains xml" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
SecAction "id:3,phase:1,pass,nolog,setvar:tx.agent=%{REQUEST_HEADERS.User-Agent},setvar:'tx.of_%{REQUEST_METHOD}=%{REQUEST_URI}'"
SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|FILES|XML:/*|XML://@* "@rx ([a-z]+)" "id:4,phase:2,pass,log,capture,multiMatch,t:urlDecodeUni,t:lowercase,msg:'%{MATCHED_VAR_NAME}',logdata:'%{TX.1}',setvar:'tx.seen_%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule TX:/^seen_/|&ARGS|MATCHED_VARS|RULE|ENV "@rx ." "id:5,phase:2,pass,nolog,t:base64Encode,t:hexEncode"
SecRule RESPONSE_BODY|FULL_REQUEST "@rx \w+ \w+" "id:6,phase:4,pass,log,capture,t:removeWhitespace,logdata:'%{TX.0}'"
"#;

/// An entry for each request.
pub fn all() -> impl Iterator<Item = String> {
    requests().into_iter().map(|(name, exchange)| {
        let whole = |bytes: usize| {
            let mut limits = Limits::default();
            limits.request_memory = bytes;
            let waf = build(|builder| builder.limits(limits).rules_text("rules.conf", RULES));
            exchange.evaluate(&waf).verdict().is_some_and(|verdict| verdict.exhausted.is_none())
        };
        let (mut short, mut enough) = (0, 1 << 22);
        assert!(whole(enough), "{name}: {enough} bytes are enough");
        while enough - short > 1 {
            let middle = (short + enough) / 2;
            if whole(middle) { enough = middle } else { short = middle }
        }
        format!("memory\t{name}\t{enough}")
    })
}
