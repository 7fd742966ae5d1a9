"""What the service keeps: jobs, findings, Screeners, feedback, studies, and who did what."""
