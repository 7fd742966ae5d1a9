"""From files to Scans: pictures, slices of volumes, and the folders and tables that list them."""
