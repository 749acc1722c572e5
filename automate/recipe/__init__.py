"""What is wanted: recipes as frozen values. Nothing here does anything."""
