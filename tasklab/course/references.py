"""Publications that the notebooks and the glossary refer to, each in one place.

In the text of a notebook, ``[@madry2018]`` stands for the whole entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One publication.

    Attributes:
        authors: family names, all of them up to eight, otherwise as the publication is known.
        year: of the venue.
        title: as printed.
        venue: where it appeared; empty for arXiv alone.
        arxiv: its number on arXiv; empty where it is not there.
    """

    authors: str
    year: int
    title: str
    venue: str = ""
    arxiv: str = ""

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
        """The address of its page on arXiv; empty if it has none."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""

    @property
    def markdown(self) -> str:
        """The whole entry."""
        venue = f" {self.venue}." if self.venue else ""
        link = f" [arXiv:{self.arxiv}]({self.address})." if self.arxiv else ""
        return f"{self.authors} ({self.year}): *{self.title}*.{venue}{link}"


PAPER = "han2020"
"""Key of the paper that the course is about."""

REFERENCES = {
    PAPER: Reference(authors="Han, Li, Long, Ge", year=2020, arxiv="2010.05125",
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
        arxiv="1902.06705", title="On Evaluating Adversarial Robustness"),
    "wong2018": Reference(
        authors="Wong, Kolter", year=2018, venue="ICML", arxiv="1711.00851",
        title="Provable defenses against adversarial examples via the convex outer adversarial polytope"),
    "gowal2018": Reference(
        authors="Gowal, Dvijotham, Stanforth, Bunel, Qin, Uesato, Arandjelovic, Mann, Kohli", year=2018,
        arxiv="1810.12715",
        title="On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust Models"),
    "cohen2019": Reference(authors="Cohen, Rosenfeld, Kolter", year=2019, venue="ICML", arxiv="1902.02918",
                           title="Certified Adversarial Robustness via Randomized Smoothing"),
    "szegedy2014": Reference(authors="Szegedy, Zaremba, Sutskever, Bruna, Erhan, Goodfellow, Fergus", year=2014,
                             venue="ICLR", arxiv="1312.6199", title="Intriguing properties of neural networks"),
    "dietterich1995": Reference(
        authors="Dietterich, Bakiri", year=1995, venue="Journal of Artificial Intelligence Research 2, 263–286",
        title="Solving Multiclass Learning Problems via Error-Correcting Output Codes"),
    "li2016": Reference(authors="Li, Kang, Ge, Song, Lu, Cheng", year=2016, venue="CVPR Workshops",
                        title="DeepBE: Learning Deep Binary Encoding for Multi-label Classification"),
    "loshchilov2019": Reference(authors="Loshchilov, Hutter", year=2019, venue="ICLR", arxiv="1711.05101",
                                title="Decoupled Weight Decay Regularization"),
    "smith2019": Reference(
        authors="Smith, Topin", year=2019, arxiv="1708.07120",
        title="Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates"),
    "maaten2008": Reference(authors="van der Maaten, Hinton", year=2008, title="Visualizing Data using t-SNE",
                            venue="Journal of Machine Learning Research 9, 2579–2605"),
    "wattenberg2016": Reference(authors="Wattenberg, Viégas, Johnson", year=2016, title="How to Use t-SNE Effectively",
                                venue="Distill. doi:10.23915/distill.00002"),
    "venna2001": Reference(
        authors="Venna, Kaski", year=2001, venue="ICANN",
        title="Neighborhood Preservation in Nonlinear Projection Methods: An Experimental Study"),
    "policar2024": Reference(
        authors="Poličar, Stražar, Zupan", year=2024, venue="Journal of Statistical Software 109(3)",
        title="openTSNE: A Modular Python Library for t-SNE Dimensionality Reduction and Embedding"),
    "papernot2016": Reference(
        authors="Papernot, McDaniel, Goodfellow", year=2016, arxiv="1605.07277",
        title="Transferability in Machine Learning: from Phenomena to Black-Box Attacks using Adversarial Samples"),
    "tsipras2019": Reference(authors="Tsipras, Santurkar, Engstrom, Turner, Madry", year=2019, venue="ICLR",
                             arxiv="1805.12152", title="Robustness May Be at Odds with Accuracy"),
    "mcnemar1947": Reference(
        authors="McNemar", year=1947, venue="Psychometrika 12, 153–157",
        title="Note on the sampling error of the difference between correlated proportions or percentages"),
    "tramer2018": Reference(authors="Tramèr, Kurakin, Papernot, Goodfellow, Boneh, McDaniel", year=2018, venue="ICLR",
                            arxiv="1705.07204", title="Ensemble Adversarial Training: Attacks and Defenses"),
    "zhang2019": Reference(authors="Zhang, Yu, Jiao, Xing, El Ghaoui, Jordan", year=2019, venue="ICML",
                           arxiv="1901.08573",
                           title="Theoretically Principled Trade-off between Robustness and Accuracy"),
    "rice2020": Reference(authors="Rice, Wong, Kolter", year=2020, venue="ICML", arxiv="2002.11569",
                          title="Overfitting in adversarially robust deep learning"),
    "chow1970": Reference(authors="Chow", year=1970, venue="IEEE Transactions on Information Theory 16(1), 41–46",
                          title="On Optimum Recognition Error and Reject Tradeoff"),
    "verma2019": Reference(
        authors="Verma, Swami", year=2019, venue="NeurIPS",
        title="Error Correcting Output Codes Improve Probability Estimation and Adversarial Robustness of Deep Neural "
              "Networks"),
    "zhang2020": Reference(
        authors="Zhang, Tondi, Lv, Barni", year=2020, arxiv="2003.11855",
        venue="Security and Communication Networks, article 8882494",
        title="Challenging the Adversarial Robustness of DNNs Based on Error-Correcting Output Codes"),
}
"""Key to publication."""


def expanded(text: str) -> str:
    """Markdown with the whole entry in place of each ``[@key]``.

    Args:
        text: Markdown.

    Raises:
        KeyError: a key that no publication has.

    >>> expanded("- [@rice2020] When to stop.")[:40]
    '- Rice, Wong, Kolter (2020): *Overfittin'
    """
    return re.sub(r"\[@(\w+)\]", lambda cited: REFERENCES[cited[1]].markdown, text)
