"""Attribution: how much of the drop belongs to what, by intervention on the same pairs."""
