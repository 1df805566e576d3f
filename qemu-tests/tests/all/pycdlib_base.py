# An image with every index that pycdlib makes: python -c ... IMAGE NAME...
import io, pycdlib, sys
iso = pycdlib.PyCdlib()
iso.new(interchange_level=3, joliet=3, rock_ridge='1.09', udf='2.60', vol_ident='PYCDLIB')
iso.add_directory('/DIR', rr_name='dir', joliet_path='/dir', udf_path='/dir')
for number, name in enumerate(sys.argv[2:]):
    content = name.encode()
    path = '/dir/' + name
    iso.add_fp(io.BytesIO(content), len(content), '/DIR/F%d.TXT;1' % number, rr_name=name, joliet_path=path, udf_path=path)
iso.write(sys.argv[1])
iso.close()
