# %% [markdown]
# # 13 · Which system would you choose?
#
# **After this notebook you can**
#
# - read the card and the report of a trained system, and say where each number comes from;
# - rank systems by their accuracy in the worst case found;
# - say why a ranking by another column would have misled you.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 30 minutes | notebooks 00 and 08 | about 2 seconds, with or without `FAST` |

# %% tags=["parameters"]
FAST = False  # it makes no difference here: nothing is attacked, everything is read from files
SEED = 0  # for the link at the end
DATA = "digits"  # or "mnist": its reports come with tasklab, too

# %%
import pandas as pd

from tasklab import zoo
from tasklab.evaluation.cards import figure
from tasklab.evaluation.report_file import kept_report
from tasklab.evaluation.standing import ranked, recorded_worst_cases, standing
from tasklab.experiments.scenario import Scenario
from tasklab.figures import accuracy_curves

names = zoo.names(DATA)
cards = {name: zoo.card(name) for name in names}
reports = {name: kept_report(name) for name in names}

# %% [markdown]
# ## 1 · A card
#
# Every trained system carries its card in its own file: its task, how it was trained, and what was measured, each
# number with its n and its interval. Without an attack, most systems look alike.
#
# **Predict.** How many percentage points lie between the best system and the worst one, without an attack?

# %%
guess = None  # in percentage points

# %%
clean = {name: figure(card, "clean")["accuracy"] for name, card in cards.items()}
print("you said", guess, "and it is", round(100 * (max(clean.values()) - min(clean.values())), 1))
pd.Series(clean, name="clean accuracy").sort_values(ascending=False).to_frame()

# %% tags=["check"]
assert max(clean.values()) - min(clean.values()) < 0.15, "Without an attack the systems should be close together."

# %% [markdown]
# ## 2 · Three columns
#
# `standing` puts what is on record about a system side by side: its accuracy without an attack, under an attack on its
# training loss, and in the worst case found over several attacks. Nothing is computed anew.
#
# **Predict.** Rank the systems by the second column. Will the third one agree?

# %%
guess = None  # yes or no

# %%
worst_cases = recorded_worst_cases()
found = {name: standing(name, DATA, cards[name], report=reports[name], worst_cases=worst_cases.get(name, ()))
         for name in names}
rows = [{"system": each.name, "clean": each.clean.accuracy.value, "training loss": each.own.accuracy.value,
         "worst case": each.worst.accuracy.value, "n": each.worst.accuracy.n, "checks": each.verdict}
        for each in ranked(found.values())]
table = pd.DataFrame(rows).set_index("system")
table

# %% tags=["check"]
first = table["training loss"].idxmax()
print("under the attack on the training loss,", first, "is best; its worst case:", table.loc[first, "worst case"])
assert table.loc[first, "training loss"] > 0.9, "An attack on the training loss should hardly harm one of them."
hinge = table.loc[f"{DATA}-deepbe-hinge"]
assert hinge["worst case"] < 0.05 < 0.9 < hinge["training loss"]  # ✓1
assert hinge["checks"] == "fail"  # ✓2

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The system with the hinge loss keeps nearly all of its accuracy in the second column and hardly any in the third [✓1].
# Wherever it is correct, its training loss is 0, so the attack on that loss had no gradient to follow. Its checks say
# `fail`, so the number in the second column is not to be trusted [✓2].
# </details>
#
# ## 3 · From small ε to large ε
#
# The ranking above is valid for one ε only. The reports contain the accuracy at several ε.

# %%
best = ranked(found.values())[:3]
curves = {each.name: reports[each.name].curves()["worst"] for each in best}
accuracy_curves(curves, marks={"ε of the ranking": best[0].eps}, up="correct in the worst case found, %")

# %% [markdown]
# ## Exercise 1 · The price of robustness (8 minutes)
#
# Write `price(name)`: by how many percentage points a system's accuracy without an attack is below that of the best
# system of the same data set.
#
# *Hint.* The table of section 2 has a column for it; its values are shares from 0 to 1.

# %% tags=["exercise"]
def price(name):
    return None  # replace this line


# %% tags=["solution"]
def price(name):
    return 100 * (table["clean"].max() - table.loc[name, "clean"])


# %% tags=["check"]
assert price(table.index[0]) is not None, "Exercise 1: price should return a number."
assert price(table["clean"].idxmax()) == 0, "Exercise 1: the best system without an attack pays nothing."
for name in table.index:
    lost = 100 * (max(clean.values()) - clean[name])
    assert abs(price(name) - lost) < 0.01, (
        f"Exercise 1: {name} pays {lost:.2f} percentage points, and price says {price(name):.2f}.")

# %% [markdown]
# ## Exercise 2 · A number to quote (8 minutes)
#
# A colleague asks for "the robustness" of RBC. Write `quote(name)`: the sentence with which you would answer. It names
# ε, n, and the accuracy in the worst case found with its 95 % interval.
#
# *Hint.* A share such as `found[name].worst.accuracy` prints with its interval. Where did section 2 take n from?

# %% tags=["exercise"]
def quote(name):
    return ""  # replace this line


# %% tags=["solution"]
def quote(name):
    worst = found[name].worst
    return (f"{name}: in the worst case found at ε = {worst.eps:g}, {worst.accuracy.percent()} % of n = "
            f"{worst.accuracy.n} test images are classified correctly; a stronger attack may leave less.")


# %% tags=["check"]
sentence = quote(f"{DATA}-rbc")
print(sentence)
assert "0.2" in sentence, "Exercise 2: the sentence should name ε."
assert str(found[f"{DATA}-rbc"].worst.accuracy.n) in sentence, "Exercise 2: the sentence should name n."
assert found[f"{DATA}-rbc"].worst.accuracy.percent() in sentence, (
    "Exercise 2: the sentence should give the accuracy in the worst case found with its interval, in percent.")
other = f"{DATA}-tra-at"
assert found[other].worst.accuracy.percent() in quote(other), f"Exercise 2: what is the accuracy of {other}?"

# %% [markdown]
# ## In the app
#
# The page "Systems" has the same table, with filters, and a page on each system:

# %%
print(Scenario(data=DATA, seed=SEED).link("systems"))

# %% [markdown]
# **Three questions to take away.** Which column would an advertisement print? Which one would you ask for? And what
# would have to be on record before you trusted a system in use?
