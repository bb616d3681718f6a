from dataclasses import fields

from pipeline.workspace import Workspace


def test_everything_lies_inside_at_a_place_of_its_own(tmp_path):
    workspace = Workspace(root=tmp_path / "work")
    places = [
        place.root if isinstance(place, Workspace) else place
        for name, member in vars(Workspace).items()
        if isinstance(member, property)
        for place in [getattr(workspace, name)]
    ]
    assert len(places) > 8
    assert len(set(places)) == len(places)
    assert {place.parent for place in places} == {workspace.root}


def test_naming_a_workspace_makes_nothing(tmp_path):
    workspace = Workspace(root=tmp_path / "work")
    assert [field.name for field in fields(workspace)] == ["root"]
    assert not workspace.clips.exists()
    assert not workspace.root.exists()
