"""Photos as they come: files, folders and archives are gone through, checked and decoded."""
