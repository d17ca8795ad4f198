"""What comes next as numbers: forecasts of series and events beside their opponents; the network that fills gaps."""
