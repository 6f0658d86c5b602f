//! The two queues of a ring as the runtime sees them: what it submits is counted for the clock, and its receives are
//! stamped where that is wanted. Nothing is held back or reordered.

/// What is submitted.
pub mod squeue {
    use crate::{arrival, turn};
    use std::ops::Deref;
    pub use uring::squeue::*;

    /// The submission queue, lent.
    pub struct SubmissionQueue<'a> {
        pub(crate) inner: uring::squeue::SubmissionQueue<'a>,
        pub(crate) is_stamped: bool,
    }

    impl SubmissionQueue<'_> {
        /// Adds an entry, or says that there is no room.
        ///
        /// # Safety
        ///
        /// What the entry points to stays where it is until it is complete.
        #[inline]
        pub unsafe fn push(&mut self, entry: &Entry) -> Result<(), PushError> {
            if self.inner.is_full() {
                // SAFETY: the caller's promise, and nothing is taken.
                return unsafe { self.inner.push(entry) };
            }
            turn::gather(arrival::sends_to(entry));
            let stamped = if self.is_stamped { arrival::stamped(entry) } else { None };
            // SAFETY: the caller's promise; the arguments that stand in for the entry's own live for ever.
            unsafe { self.inner.push(stamped.as_ref().unwrap_or(entry)) }
        }
    }

    impl<'a> Deref for SubmissionQueue<'a> {
        type Target = uring::squeue::SubmissionQueue<'a>;

        fn deref(&self) -> &Self::Target {
            &self.inner
        }
    }
}

/// What is complete.
pub mod cqueue {
    use crate::arrival;
    use std::ops::Deref;
    pub use uring::cqueue::*;

    /// The completion queue, lent: gives each completion once.
    pub struct CompletionQueue<'a> {
        pub(crate) inner: uring::cqueue::CompletionQueue<'a>,
        pub(crate) is_stamped: bool,
    }

    impl Iterator for CompletionQueue<'_> {
        type Item = Entry;

        #[inline]
        fn next(&mut self) -> Option<Entry> {
            let entry = self.inner.next()?;
            if self.is_stamped {
                arrival::complete(entry.user_data(), entry.result());
            }
            Some(entry)
        }
    }

    impl<'a> Deref for CompletionQueue<'a> {
        type Target = uring::cqueue::CompletionQueue<'a>;

        fn deref(&self) -> &Self::Target {
            &self.inner
        }
    }
}
