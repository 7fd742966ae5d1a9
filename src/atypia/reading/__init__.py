"""From files to Scans: single pictures, and the folders and tables that list them."""
