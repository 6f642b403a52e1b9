//! Returns free memory to the system.

/// Returns to the system what the allocator has free. By itself glibc returns only what lies at the end of its memory, so that
/// after a flood of connections one small piece there keeps all the rest
/// (<https://man7.org/linux/man-pages/man3/malloc_trim.3.html>). It takes milliseconds, in which other threads may wait.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library, which nothing wraps")]
pub(crate) fn release() {
    // SAFETY: it has no preconditions, may be called from any thread, and takes no pointer.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators return free memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn release() {}
