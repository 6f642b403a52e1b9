//! Generates ids from a counter, so that each run of a test gets the same ids.

#[derive(Default)]
pub(crate) struct IdGenerator {
    last_number: u64,
}

impl IdGenerator {
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Generates a UUID. As with real ones, the order of two UUIDs does not show which one is older.
    pub(crate) fn uuid(&mut self) -> String {
        let hex = self.hex();
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    /// Generates 32 lower-case hexadecimal digits, which are unique.
    pub(crate) fn hex(&mut self) -> String {
        let (high, low) = (self.next_number(), self.next_number());
        format!("{:016x}{:016x}", mix(high), mix(low))
    }
}

/// The finalizer of `SplitMix64`. Different numbers have different results, even if the numbers are close together.
fn mix(number: u64) -> u64 {
    let x = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
