"""Models that others have published, each as printed, one module to a paper.

==================  =========================================================================
`kimmel2021`        CAR-T and normal T cells compete after lymphodepletion; cure by chance
`leontriana2020`    CAR-T, leukaemia and healthy B cells as predator and prey
`leontriana2021`    a tumour that inactivates CAR-T; a second target outside the tumour
`cartmath2021`      memory CAR-T, elimination, residual disease and escape
`carrgo2020`        CAR-T against glioma cells in a dish
`kara2024`          antigen-positive and antigen-negative tumour, and bystander killing
`bozic2013`         two drugs, and the chance that no cell resists both
==================  =========================================================================

They stand beside the book's own model for comparison. None of them feeds it, but for the CAR-T
curve of `kimmel2021`, which `car_relapse.exposure_kimmel` offers as an exposure. Their
parameters belong to their papers: each is the default of a dataclass field, with the paper and
its table named in the docstring, and not a row of the ledger, which holds the book's own model.

Populations that decay are integrated as logarithms. On a linear scale an integrator's absolute
error stands in for cells that are gone, and a leukaemia of 1e-100 cells grows back.
"""

from car_relapse.published import (
    bozic2013,
    carrgo2020,
    cartmath2021,
    kara2024,
    kimmel2021,
    leontriana2020,
    leontriana2021,
)

__all__ = [
    "bozic2013",
    "carrgo2020",
    "cartmath2021",
    "kara2024",
    "kimmel2021",
    "leontriana2020",
    "leontriana2021",
]
