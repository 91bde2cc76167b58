"""The paper, reproduced: its tables as data, the systems behind each number, and what is measured of them here."""
