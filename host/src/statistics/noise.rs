//! Noise that hides whether an account is in a count.
//!
//! Laplace noise that is computed with floating-point numbers has holes, by which what it hides can be told (Mironov, "On
//! significance of the least significant bits for differential privacy", 2012). So it is drawn from the discrete Laplace
//! distribution, exactly, with whole numbers alone (Canonne, Kamath and Steinke, "The discrete Gaussian for differential
//! privacy", 2020, algorithms 1 and 2).

/// A whole number k with a probability in proportion to exp(-|k| / scale), made of uniform bits: nothing else is asked.
///
/// # Errors
/// That of the bits.
pub fn discrete_laplace<E>(scale: u64, bits: &mut impl FnMut() -> Result<u64, E>) -> Result<i64, E> {
    loop {
        // The magnitude is geometric: what is left of it below the scale, and how often the scale is in it.
        let rest = below(scale, bits)?;
        if !is_exp(rest, scale, bits)? {
            continue;
        }
        let mut times = 0_u64;
        while is_exp(1, 1, bits)? {
            times += 1;
        }
        let magnitude = rest.saturating_add(scale.saturating_mul(times));
        let is_negative = below(2, bits)? == 1;
        // There is one zero, and it has not twice the chance.
        if !(is_negative && magnitude == 0) {
            let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX);
            return Ok(if is_negative { -magnitude } else { magnitude });
        }
    }
}

/// True with the probability exp(-part / whole), for a part of the whole.
fn is_exp<E>(part: u64, whole: u64, bits: &mut impl FnMut() -> Result<u64, E>) -> Result<bool, E> {
    let mut tries = 1_u64;
    // How many in a row come true, each with part / (whole * tries): an even number, with that probability.
    while below(whole.saturating_mul(tries), bits)? < part {
        tries += 1;
    }
    Ok(tries % 2 == 1)
}

/// A whole number below another one, each as likely as the others.
fn below<E>(end: u64, bits: &mut impl FnMut() -> Result<u64, E>) -> Result<u64, E> {
    let end = end.max(1);
    // Bits beyond the last multiple would make the first numbers more likely.
    let last = u64::MAX - u64::MAX % end;
    loop {
        let drawn = bits()?;
        if drawn < last {
            return Ok(drawn % end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;

    const DRAWN: u32 = 400_000;

    /// SplitMix64 (Steele, Lea and Flood, 2014): bits that are the same each time.
    fn bits(seed: u64) -> impl FnMut() -> Result<u64, Infallible> {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            Ok(mixed ^ (mixed >> 31))
        }
    }

    fn drawn(scale: u64, seed: u64) -> BTreeMap<i64, u32> {
        let (mut found, mut bits) = (BTreeMap::new(), bits(seed));
        for _ in 0..DRAWN {
            let Ok(noise) = discrete_laplace(scale, &mut bits);
            *found.entry(noise).or_default() += 1;
        }
        found
    }

    #[test]
    fn each_number_is_as_likely_as_the_distribution_says() {
        for (scale, seed) in [(4, 1), (1, 2), (20, 3)] {
            let found = drawn(scale, seed);
            let mean = found.iter().map(|(noise, times)| *noise as f64 * f64::from(*times)).sum::<f64>();
            let size = found.iter().map(|(noise, times)| noise.abs() as f64 * f64::from(*times)).sum::<f64>();
            let (mean, size) = (mean / f64::from(DRAWN), size / f64::from(DRAWN));
            let alpha = (-1.0 / scale as f64).exp();
            let expected = 2.0 * alpha / (1.0 - alpha * alpha);
            assert!(mean.abs() < expected * 0.02, "{mean}");
            assert!((size - expected).abs() < expected * 0.02, "{size}, not {expected}");
            for noise in -3..=3_i64 {
                let likely = (1.0 - alpha) / (1.0 + alpha) * alpha.powf(noise.abs() as f64);
                let seen = f64::from(found[&noise]) / f64::from(DRAWN);
                // Five standard deviations.
                let most = 5.0 * (likely * (1.0 - likely) / f64::from(DRAWN)).sqrt();
                assert!((seen - likely).abs() < most, "{noise}: {seen}, not {likely}");
            }
        }
    }

    #[test]
    fn an_account_more_or_less_changes_the_chance_of_each_outcome_by_its_epsilon_at_most() {
        let found = drawn(4, 4);
        let factor = 0.25_f64.exp();
        for outcome in -8..=8_i64 {
            let (with, without) = (f64::from(found[&(outcome - 1)]), f64::from(found[&outcome]));
            // What is left is chance: a tenth of a percent is six standard deviations of the rarest of these.
            assert!(with / without < factor * 1.06 && without / with < factor * 1.06, "{outcome}");
        }
    }

    #[test]
    fn what_is_drawn_follows_from_the_bits_alone() {
        assert_eq!(drawn(4, 7), drawn(4, 7));
        assert_eq!(discrete_laplace(4, &mut || Err("no randomness")), Err("no randomness"));
    }
}
