"""Many runs for one question: what to draw trials from, studies that outlive their process, reports."""
