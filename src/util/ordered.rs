//! Collecting into the ordered maps and sets of std.

/// Collects into a `BTreeMap` or a `BTreeSet` by inserting each item.
///
/// `collect` sorts the items first, and compiles a sort of its own for each type, 8 kB of machine code: without them, this
/// program is 4 % smaller. Our maps are small, so inserting takes no longer.
pub(crate) trait CollectOrdered: Iterator + Sized {
    /// All items in a map or a set. Of two values with the same key, the last one is kept.
    fn collect_ordered<C: Default + Extend<Self::Item>>(self) -> C {
        let mut collected = C::default();
        collected.extend(self);
        collected
    }
}

impl<I: Iterator> CollectOrdered for I {}
