"""Random cases, extreme and bad, through every public function of the package."""
