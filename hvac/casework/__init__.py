"""What people do about alarms: cases, visits, and what these found."""
