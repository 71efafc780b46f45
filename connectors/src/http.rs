//! One HTTP client builder for all vendors: time-outs, retries of what is safe to repeat, pacing, tracing.
