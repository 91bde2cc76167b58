"""Publications that the glossary refers to, each in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One publication.

    Attributes:
        authors: family names, all of them up to eight, otherwise as the publication is known.
        year: of the venue.
        title: as printed.
        venue: where it appeared.
        arxiv: its number on arXiv.
    """

    authors: str
    year: int
    title: str
    venue: str
    arxiv: str

    @property
    def short(self) -> str:
        """Authors and year, as a text cites it.

        >>> REFERENCES["croce2020"].short, REFERENCES["madry2018"].short
        ('Croce & Hein 2020', 'Madry et al. 2018')
        """
        names = self.authors.split(", ")
        return f"{' & '.join(names) if len(names) < 3 else names[0] + ' et al.'} {self.year}"

    @property
    def address(self) -> str:
        """Where to read it."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    @property
    def markdown(self) -> str:
        """The whole entry."""
        venue = f" {self.venue}." if self.venue else ""
        return f"{self.authors} ({self.year}): *{self.title}*.{venue} [arXiv:{self.arxiv}]({self.address})."


PAPER = "han2020"
"""Key of the paper that the course is about."""

REFERENCES = {
    PAPER: Reference(authors="Han, Li, Long, Ge", year=2020, venue="", arxiv="2010.05125",
                     title="Learning Task-aware Robust Deep Learning Systems"),
    "eykholt2018": Reference(
        authors="Eykholt, Evtimov, Fernandes, Li, Rahmati, Xiao, Prakash, Kohno, Song", year=2018, venue="CVPR",
        arxiv="1707.08945", title="Robust Physical-World Attacks on Deep Learning Visual Classification"),
    "goodfellow2015": Reference(authors="Goodfellow, Shlens, Szegedy", year=2015, venue="ICLR", arxiv="1412.6572",
                                title="Explaining and Harnessing Adversarial Examples"),
    "kurakin2017": Reference(authors="Kurakin, Goodfellow, Bengio", year=2017, venue="ICLR", arxiv="1611.01236",
                             title="Adversarial Machine Learning at Scale"),
    "madry2018": Reference(authors="Madry, Makelov, Schmidt, Tsipras, Vladu", year=2018, venue="ICLR",
                           arxiv="1706.06083",
                           title="Towards Deep Learning Models Resistant to Adversarial Attacks"),
    "carlini2017": Reference(authors="Carlini, Wagner", year=2017, venue="IEEE Symposium on Security and Privacy",
                             arxiv="1608.04644", title="Towards Evaluating the Robustness of Neural Networks"),
    "moosavi2016": Reference(authors="Moosavi-Dezfooli, Fawzi, Frossard", year=2016, venue="CVPR", arxiv="1511.04599",
                             title="DeepFool: a simple and accurate method to fool deep neural networks"),
    "croce2020": Reference(
        authors="Croce, Hein", year=2020, venue="ICML", arxiv="2003.01690",
        title="Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks"),
    "croce2020fab": Reference(
        authors="Croce, Hein", year=2020, venue="ICML", arxiv="1907.02044",
        title="Minimally distorted Adversarial Examples with a Fast Adaptive Boundary Attack"),
    "andriushchenko2020": Reference(
        authors="Andriushchenko, Croce, Flammarion, Hein", year=2020, venue="ECCV", arxiv="1912.00049",
        title="Square Attack: a query-efficient black-box adversarial attack via random search"),
    "robustbench2021": Reference(
        authors="Croce, Andriushchenko, Sehwag, Debenedetti, Flammarion, Chiang, Mittal, Hein", year=2021,
        venue="NeurIPS Datasets and Benchmarks", arxiv="2010.09670",
        title="RobustBench: a standardized adversarial robustness benchmark"),
    "athalye2018": Reference(
        authors="Athalye, Carlini, Wagner", year=2018, venue="ICML", arxiv="1802.00420",
        title="Obfuscated Gradients Give a False Sense of Security: Circumventing Defenses to Adversarial Examples"),
    "athalye2018eot": Reference(authors="Athalye, Engstrom, Ilyas, Kwok", year=2018, venue="ICML", arxiv="1707.07397",
                                title="Synthesizing Robust Adversarial Examples"),
    "tramer2020": Reference(authors="Tramèr, Carlini, Brendel, Madry", year=2020, venue="NeurIPS", arxiv="2002.08347",
                            title="On Adaptive Attacks to Adversarial Example Defenses"),
    "carlini2019": Reference(
        authors="Carlini, Athalye, Papernot, Brendel, Rauber, Tsipras, Goodfellow, Madry, Kurakin", year=2019,
        venue="", arxiv="1902.06705", title="On Evaluating Adversarial Robustness"),
    "wong2018": Reference(
        authors="Wong, Kolter", year=2018, venue="ICML", arxiv="1711.00851",
        title="Provable defenses against adversarial examples via the convex outer adversarial polytope"),
    "gowal2018": Reference(
        authors="Gowal, Dvijotham, Stanforth, Bunel, Qin, Uesato, Arandjelovic, Mann, Kohli", year=2018, venue="",
        arxiv="1810.12715",
        title="On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust Models"),
    "cohen2019": Reference(authors="Cohen, Rosenfeld, Kolter", year=2019, venue="ICML", arxiv="1902.02918",
                           title="Certified Adversarial Robustness via Randomized Smoothing"),
}
"""Key to publication."""
