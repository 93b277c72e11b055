//! Bundles with a valid signature and whatever else in them: no panic, and no other verdict that nobody finds.

use super::*;
use fusewall::Verification;
use proptest::prelude::*;

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(bundle);
static PLAIN: LazyLock<Waf> = LazyLock::new(plain);

/// Loads damaged bytes that are signed and whose checksum fits. If that works, either everything is as compiled, or comparing says
/// that it is not, or the rules themselves are others.
fn survive(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let Ok(waf) = from_bundle(signed(&sealed(bytes))) else { return Ok(()) };
    for value in VALUES {
        let _ = get(&waf, value).verdict();
    }
    let same_rules = waf.loaded().program().ruleset == PLAIN.loaded().program().ruleset;
    match waf.verify() {
        Verification::Same { .. } | Verification::Nothing if same_rules => assert_alike(&PLAIN, &waf),
        Verification::Same { .. } | Verification::Nothing => {}
        Verification::Different { replaced, .. } => {
            prop_assert!(matches!(replaced, Some(Ok(_))), "the rules in it load");
            if same_rules {
                assert_alike(&PLAIN, &waf);
            }
        }
    }
    Ok(())
}

/// `FUSEWALL_BUNDLES=full` tries more of them.
fn cases() -> u32 {
    match std::env::var("FUSEWALL_BUNDLES").as_deref() {
        Ok("full") => 512,
        _ if cfg!(debug_assertions) => 16,
        _ => 96,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn any_byte_may_be_wrong(at in any::<prop::sample::Index>(), bits in 1u8.., more in any::<Option<(prop::sample::Index, u8)>>()) {
        let mut bytes = BYTES.clone();
        let at = BODY + at.index(bytes.len() - BODY);
        bytes[at] ^= bits;
        if let Some((at, byte)) = more {
            let at = BODY + at.index(bytes.len() - BODY);
            bytes[at] = byte;
        }
        survive(bytes)?;
    }

    #[test]
    fn any_part_may_be_missing_or_twice(from in any::<prop::sample::Index>(), len in 0usize..300, twice in any::<bool>()) {
        let mut bytes = BYTES.clone();
        let from = BODY + from.index(bytes.len() - BODY);
        let to = (from + len).min(bytes.len());
        let part = bytes[from..to].to_vec();
        if twice {
            bytes.splice(from..from, part);
        } else {
            bytes.drain(from..to);
        }
        survive(bytes)?;
    }

    #[test]
    fn any_body_at_all(body in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = BYTES[..BODY].to_vec();
        bytes.extend(body);
        prop_assert!(from_bundle(signed(&sealed(bytes))).is_err());
    }
}

#[test]
fn any_end_may_be_missing() {
    for cut in 0..64 {
        let left = BODY + (BYTES.len() - BODY) * cut / 64;
        assert!(from_bundle(signed(&sealed(BYTES[..left].to_vec()))).is_err(), "{cut}/64");
    }
}
