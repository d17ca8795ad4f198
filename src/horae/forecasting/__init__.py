"""What comes next as numbers: series and events forecast beside their opponents, with bounds."""
