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

    /// The same of items that may be errors, or the first error.
    fn try_collect_ordered<T, E, C: Default + Extend<T>>(self) -> Result<C, E>
    where
        Self: Iterator<Item = Result<T, E>>,
    {
        Ok(self.collect::<Result<Vec<T>, E>>()?.into_iter().collect_ordered())
    }
}

impl<I: Iterator> CollectOrdered for I {}
