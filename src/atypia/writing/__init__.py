"""What a run leaves on disk: tables of findings and pictures of where they are."""
